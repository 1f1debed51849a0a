/**
 * A message comes every second. After this long without one the connection counts as lost, whatever the socket says.
 */
const SILENT_MS = 3_000
const RETRY_MS = { first: 500, last: 5_000 }

/**
 * Keeps a WebSocket open for ever.
 *
 * @param {string} path
 * @param {{ hear: (message: any) => void, lose: () => void }} listener `lose` is called after each connection that
 *   ended or did not come about
 */
export function stayConnected(path, { hear, lose }) {
  let retryMs = RETRY_MS.first

  const connect = () => {
    const socket = new WebSocket(location.origin.replace(/^http/, 'ws') + path)
    const giveUp = () => {
      clearTimeout(patience)
      socket.onmessage = socket.onclose = null
      socket.close()
      lose()
      // With jitter, so that not all pages come at once when a gateway was restarted.
      setTimeout(connect, retryMs * (0.5 + Math.random() / 2))
      retryMs = Math.min(RETRY_MS.last, retryMs * 2)
    }
    let patience = setTimeout(giveUp, SILENT_MS)
    socket.onclose = giveUp
    socket.onmessage = ({ data }) => {
      clearTimeout(patience)
      patience = setTimeout(giveUp, SILENT_MS)
      retryMs = RETRY_MS.first
      hear(JSON.parse(String(data)))
    }
  }
  connect()
}
