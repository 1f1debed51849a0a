// What a stack can be made of: what one asks for, and what was chosen.

export type Environment = Record<string, string>
export type Role = 'redis' | 'gateway' | 'worker' | 'monitor' | 'processor'

export type StackOptions = {
  /** Sockets, Redis's data and the logs; made if missing. Its path can have 90 bytes or so: sockets are in it. */
  directory: string
  /** HAProxy's, on the loopback address; 0 or missing takes a free one. */
  port?: number
  /** 1 to 4, as many as haproxy.cfg has server lines for; 2 if missing. */
  gateways?: number
  /** 1 if missing. */
  workers?: number
  /** 1 if missing. */
  monitors?: number
  /** URLs of processors that run already; if missing, two models are started. */
  processors?: { default: string; fallback: string }
  /** Where the models listen; free ports if missing. */
  processorPorts?: { default: number; fallback: number }
  /**
   * Where parts answer GET /metrics on the loopback address, by the part's name, e.g. { haproxy: 9101 }; none if
   * missing.
   */
  metricsPorts?: Record<string, number | undefined>
  /** Added to what the parts of a role get; parts see nothing else of our own environment but PATH, HOME, TZ, LANG. */
  environment?: Partial<Record<Role, Environment>>
  /** What a role runs in place of its own program: a file, from the project's folder. */
  programs?: Partial<Record<Role, string>>
  /** Added to Redis's command line, e.g. ['--maxmemory', '64mb']. */
  redisArguments?: string[]
  /** Called as each part has become ready. */
  onReady?: (partName: string) => void
  /** Ends a start that is under way: what runs is stopped, and startStack rejects. */
  signal?: AbortSignal
}

/** Options with every choice made. */
export type StackLayout = Pick<StackOptions, 'environment' | 'programs' | 'redisArguments'> & {
  /** Absolute. */
  directory: string
  port: number
  gateways: number
  workers: number
  monitors: number
  processorUrls: { default: string; fallback: string }
  /** Undefined when the processors run elsewhere. */
  modelPorts: { default: number; fallback: number } | undefined
  /** Where parts answer GET /metrics, by the part's name; those without a port don't. */
  metricsPorts: Record<string, number | undefined>
}
