/** Why a payment is not taken now; it is worth sending again. */
export type Refusal = 'queue-full' | 'out-of-memory' | 'unreachable' | 'too-many-waiting'

/** What people read of it: in the answer, in the log and in the status. */
export const REFUSAL_SENTENCES: Record<Refusal, string> = {
  'queue-full': 'The queue is full.',
  'out-of-memory': 'The queue is out of memory.',
  unreachable:
    'The queue cannot be reached. The payment may have been kept: send it again with the same correlationId.',
  'too-many-waiting': 'Too many payments are waiting for the queue.'
}
