// SPDX-License-Identifier: MIT
// The peer: @stomp/stompjs over ws on node. The same work and the same line of
// figures as receive.lua and publish.lua; and of two ways of confirm.lua.
//   node stompjs.mjs receive|publish URL SIZE COUNT
//   node stompjs.mjs unconfirmed|confirmed URL SIZE COUNT IN_FLIGHT LOGIN PASSCODE
import { Client } from "@stomp/stompjs";
import { WebSocket } from "ws";
import { readFileSync } from "node:fs";

const [what, url, sizeText, countText, inFlightText, login, passcode] = process.argv.slice(2);
const size = Number(sizeText), count = Number(countText), inFlight = Number(inFlightText);
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

// Persistent messages to a queue; IN_FLIGHT of them at most have no RECEIPT.
function confirmed(client) {
  const body = "x".repeat(size), destination = `/queue/stompjs-bench-${process.pid}`;
  let n = 0, answered = 0;
  begin();
  function one() {
    if (n === count) return;
    const receipt = `r-${n++}`;
    client.watchForReceipt(receipt, () => {
      if (++answered === count) report();
      one();
    });
    client.publish({ destination, body, headers: { receipt, persistent: "true" } });
  }
  for (let i = 0; i < inFlight; i++) one();
}

// In pieces, so that node may write meanwhile.
function publish(client) {
  const body = "x".repeat(size);
  const toQueue = what === "unconfirmed";
  const destination = toQueue ? `/queue/stompjs-bench-${process.pid}` : "/topic/benchmark";
  const headers = toQueue ? { persistent: "true" } : {};
  let n = 0;
  client.watchForReceipt("last", report);
  begin();
  function some() {
    for (let i = 0; i < 1000 && n < count - 1; i++, n++) client.publish({ destination, body, headers });
    if (n < count - 1) return setImmediate(some);
    client.publish({ destination, body, headers: { ...headers, receipt: "last" } });
  }
  some();
}

const ways = { receive, publish, unconfirmed: publish, confirmed };

const client = new Client({
  webSocketFactory: () => new WebSocket(url, ["v12.stomp"]),
  heartbeatIncoming: 0,
  heartbeatOutgoing: 0,
  reconnectDelay: 0,
  connectHeaders: login ? { login, passcode, host: "/" } : {},
  onConnect: () => ways[what](client),
});
client.activate();
