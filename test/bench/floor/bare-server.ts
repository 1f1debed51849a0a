// uWebSockets.js answering 202 to every POST /payments once its body is there, and nothing else; what no gateway can do
// without.
//   node test/bench/floor/bare-server.ts SOCKET
import { App } from 'uWebSockets.js'

const path = process.argv[2] ?? ''
App()
  .post('/payments', res => {
    res.onAborted(() => undefined)
    res.onData((_chunk, isLast) => {
      if (isLast)
        res.cork(() => {
          res.writeStatus('202 Accepted').end()
        })
    })
  })
  // HAProxy's health check.
  .get('/health', res => {
    res.end()
  })
  .listen_unix(() => {
    console.log(JSON.stringify({ msg: 'ready' }))
  }, path)
