// SPDX-License-Identifier: MIT
// The peer: @stomp/stompjs over ws on node. The same work and the same line of
// figures as receive.lua and publish.lua.
//   node stompjs.mjs receive|publish URL SIZE COUNT
import { Client } from "@stomp/stompjs";
import { WebSocket } from "ws";
import { readFileSync } from "node:fs";

const [what, url, sizeText, countText] = process.argv.slice(2);
const size = Number(sizeText), count = Number(countText);
let cpu, start;

function begin() {
  cpu = process.cpuUsage();
  start = process.hrtime.bigint();
}

function report() {
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  const used = process.cpuUsage(cpu);
  const high = /VmHWM:\s*(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1];
  console.log(`${(count / seconds).toFixed(0)} ${((used.user + used.system) / count).toFixed(3)} ${(high / 1024).toFixed(1)}`);
  process.exit(0);
}

function receive(client) {
  let n = 0, bytes = 0;
  begin();
  client.subscribe(`/flood/${size}/${count}`, (message) => {
    bytes += message.body.length;
    if (++n === count) {
      if (bytes !== size * count) process.exit(1);
      report();
    }
  });
}

// In pieces, so that node may write meanwhile.
function publish(client) {
  const body = "x".repeat(size);
  let n = 0;
  client.watchForReceipt("last", report);
  begin();
  function some() {
    for (let i = 0; i < 1000 && n < count - 1; i++, n++) client.publish({ destination: "/topic/benchmark", body });
    if (n < count - 1) return setImmediate(some);
    client.publish({ destination: "/topic/benchmark", body, headers: { receipt: "last" } });
  }
  some();
}

const client = new Client({
  webSocketFactory: () => new WebSocket(url, ["v12.stomp"]),
  heartbeatIncoming: 0,
  heartbeatOutgoing: 0,
  reconnectDelay: 0,
  onConnect: () => (what === "receive" ? receive(client) : publish(client)),
});
client.activate();
