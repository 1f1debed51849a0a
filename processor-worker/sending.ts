import type { TakenPayment } from '../shared/redis/queued-payment.ts'
import type { EntriesInHand } from './in-hand.ts'
import type { Lane, Lanes } from './lane.ts'
import type { Latch } from './latch.ts'
import type { SendOutcome } from './outcome.ts'
import { resolveOutcome, sendToLast } from './resolver.ts'

export type Sending = {
  /** Sends a payment that was just taken. */
  send: (payment: TakenPayment) => void
  /** Sends what the other processor has refused for good. */
  sendLast: (payment: TakenPayment) => void
  /** Finds out what became of payments that somebody else had in flight, each at its processor. */
  adopt: (payments: readonly TakenPayment[]) => void
}

export type SendingOptions = {
  lanes: Lanes
  inHand: EntriesInHand
  /** Opened when there is something to tell Redis. */
  latch: Latch
  /** Open outcomes stay open from then on. */
  stopping: AbortSignal
  nowMs: () => number
}

/** Sends payments, and puts each where its outcome says: among the booked, not booked or rejected ones of its lane. */
export function createSending({ lanes, inHand, latch, stopping, nowMs }: SendingOptions): Sending {
  const send = (payment: TakenPayment) => {
    const lane = lanes[payment.processor]
    const sentAtMs = nowMs()
    inHand.add(payment)
    lane.observed.sent(1, sentAtMs)
    lane.client.send(payment, payment.requestedAtMs, outcome => {
      lane.answered(outcome, sentAtMs, nowMs())
      switch (outcome.kind) {
        case 'booked':
          lane.booked.push(payment)
          break
        case 'not-booked':
          lane.notBooked.push(payment)
          break
        case 'rejected':
          lane.rejected.push({ payment, reason: outcome.reason })
          latch.open()
          return
        case 'already-booked':
        case 'unknown':
          resolve(payment)
          return
      }
      lane.observed.finished(1)
      latch.open()
    })
  }

  const sendLast = (payment: TakenPayment) => {
    const lane = lanes[payment.processor]
    inHand.add(payment)
    lane.observed.adopted(1)
    void sendToLast(payment, lane.client, answeredAgain(lane), stopping).then(outcome => {
      if (outcome?.kind === 'rejected') lane.rejected.push({ payment, reason: outcome.reason })
      else lane.observed.finished(1)
      if (outcome?.kind === 'booked') lane.booked.push(outcome.payment)
      if (outcome?.kind === 'not-booked') lane.notBooked.push(payment)
      latch.open()
    })
  }

  /** Keeps its place among those in flight until the outcome is known. */
  const resolve = (payment: TakenPayment) => {
    const lane = lanes[payment.processor]
    void resolveOutcome(payment, lane.client, answeredAgain(lane), stopping).then(booked => {
      if (booked) lane.booked.push(booked)
      lane.observed.finished(1)
      latch.open()
    })
  }

  const answeredAgain = (lane: Lane) => (outcome: SendOutcome) => lane.answeredAgain(outcome, nowMs())

  return {
    send,
    sendLast,
    adopt(payments) {
      for (const payment of payments) {
        // We work on it already: another worker took it over from us, and we took it back.
        if (inHand.has(payment.entryId)) continue
        inHand.add(payment)
        lanes[payment.processor].observed.adopted(1)
        resolve(payment)
      }
    }
  }
}
