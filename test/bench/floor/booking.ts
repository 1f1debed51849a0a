import type { Dispatcher } from 'undici'

/**
 * The least that sending to a processor's model needs: hears that it has booked.
 * @throws whatever else comes, which ends the process: a bare part has no plan for it
 */
export function whenBooked(done: () => void): Dispatcher.DispatchHandler {
  return {
    onRequestStart: () => undefined,
    onResponseStart: (_controller, status) => {
      if (status !== 200) throw new Error(`the model answered ${status}`)
    },
    onResponseData: () => undefined,
    onResponseEnd: done,
    onResponseError: (_controller, error) => {
      throw error
    }
  }
}
