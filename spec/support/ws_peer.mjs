// SPDX-License-Identifier: MIT
// The other side of spec/io/ws_spec.lua, on node's `ws` (an implementation of
// RFC 7692 that is not ours): a server of one connection that speaks as much STOMP
// as that needs, or a client of the embedded broker. Says what it sees on lines of
// JSON, and ends with its connection.
//   node ws_peer.mjs WS-MODULE server|client ARGUMENTS-AS-JSON
import { pathToFileURL } from "node:url"

const [module, role, json] = process.argv.slice(2)
const { WebSocket, WebSocketServer } = await import(pathToFileURL(module).href)
const options = JSON.parse(json)
const say = (event) => process.stdout.write(JSON.stringify(event) + "\n")

function parse(text) {
  const blank = text.indexOf("\n\n")
  const [command, ...lines] = text.slice(0, blank).split("\n")
  const headers = Object.fromEntries(lines.map((line) => line.split(/:(.*)/s).slice(0, 2)))
  return { command, headers, body: text.slice(blank + 2, -1) }
}

function serve(socket) {
  say({ extensions: socket.extensions })
  socket.on("message", (data, binary) => {
    const { command, headers, body } = parse(data.toString("latin1"))
    const answer = (text) => socket.send(Buffer.from(text, "latin1"), { binary })
    if (command === "CONNECT") answer("CONNECTED\nversion:1.2\n\n\0")
    if (command === "SEND")
      answer(`MESSAGE\nsubscription:s\nmessage-id:1\ndestination:/queue/a\ncontent-length:${body.length}\n\n${body}\0`)
    if (command === "DISCONNECT") answer(`RECEIPT\nreceipt-id:${headers.receipt}\n\n\0`)
  })
  socket.on("close", (code) => {
    say({ code })
    server.close()
  })
}

setTimeout(() => process.exit(2), 60000).unref() // whoever started it is gone
let server
if (role === "server") {
  server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: options }, () =>
    say({ port: server.address().port }))
  server.on("connection", serve)
} else {
  const { url, sizes, ...deflate } = options
  const rows = (n) => JSON.stringify(Array.from({ length: n }, (_, i) => ({ id: i, price: (i * 107) % 1300 })))
  const bodies = sizes.map(rows)
  const socket = new WebSocket(url, ["v12.stomp"], { perMessageDeflate: deflate })
  const send = (text) => socket.send(Buffer.from(text, "latin1"), { binary: false, compress: true })
  let came = 0
  socket.on("open", () => {
    say({ extensions: socket.extensions })
    send("CONNECT\naccept-version:1.2\nhost:/\n\n\0")
  })
  socket.on("message", (data) => {
    const { command, body } = parse(data.toString("latin1"))
    if (command === "CONNECTED") {
      send("SUBSCRIBE\nid:s\ndestination:/queue/a\n\n\0")
      for (const text of bodies) send(`SEND\ndestination:/queue/a\n\n${text}\0`)
    } else if (command === "MESSAGE") {
      say({ same: body === bodies[came++] })
      if (came === bodies.length) socket.close(1000)
    }
  })
  socket.on("close", (code) => say({ code }))
}
