import { resolve } from 'node:path'
import { httpOrigin, optionalText } from '../../shared/environment.ts'
import { ID_RETENTION_HOURS, REDIS_URL } from '../../shared/variables.ts'

/** Operators' commands look at what `npm start` runs, unless the environment says otherwise. */
export const COMMAND_VARIABLES = {
  redisUrl: { ...REDIS_URL, default: `unix:${resolve('.data', 'redis.sock')}` },
  idRetentionHours: ID_RETENTION_HOURS
}

export const AUDIT_VARIABLES = {
  ...COMMAND_VARIABLES,
  defaultProcessorUrl: httpOrigin('DEFAULT_PROCESSOR_URL', {
    default: 'http://127.0.0.1:8001',
    about: 'The processor with the lower fee.'
  }),
  fallbackProcessorUrl: httpOrigin('FALLBACK_PROCESSOR_URL', {
    default: 'http://127.0.0.1:8002',
    about: 'The processor with the higher fee.'
  }),
  token: optionalText('PROCESSOR_TOKEN', {
    pattern: /^[\x21-\x7e]+$/,
    wants: 'visible characters',
    about: "The processors' admin token (header X-Rinha-Token)."
  })
}

/** A person waits for it: whoever forgot to start the system should not wait for long. */
export const REDIS_WITHIN_MS = 3_000
