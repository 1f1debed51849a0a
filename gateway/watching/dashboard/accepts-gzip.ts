/**
 * Whether a client that sends this Accept-Encoding can unpack gzip (RFC 9110, section 12.5.3). Who sends none, as curl
 * does, gets none.
 */
export function acceptsGzip(acceptEncoding: string): boolean {
  const weights = new Map(
    acceptEncoding
      .toLowerCase()
      .split(',')
      .map(part => {
        const [coding = '', ...parameters] = part.split(';').map(piece => piece.trim())
        const weight = parameters.find(parameter => parameter.startsWith('q='))
        return [coding, weight === undefined ? 1 : Number(weight.slice(2))] as const
      })
  )
  return (weights.get('gzip') ?? weights.get('x-gzip') ?? weights.get('*') ?? 0) > 0
}
