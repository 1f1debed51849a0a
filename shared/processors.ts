import { httpOrigin } from './config.ts'

/** Where the two processors are; worker and health monitor read the same variables. */
export const PROCESSOR_URL_VARIABLES = {
  defaultProcessorUrl: httpOrigin('DEFAULT_PROCESSOR_URL', {
    default: 'http://payment-processor-default:8080',
    about: 'The cheaper processor.'
  }),
  fallbackProcessorUrl: httpOrigin('FALLBACK_PROCESSOR_URL', {
    default: 'http://payment-processor-fallback:8080',
    about: 'The dearer processor.'
  })
}
