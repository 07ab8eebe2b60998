// SPDX-License-Identifier: MIT
// The peer on node: @stomp/stompjs's parser and frames, as its client uses them.
//   node stompjs.mjs CHUNK FRAMES
import { FrameImpl, Parser } from "@stomp/stompjs";
import { readFileSync } from "node:fs";

const [file, count] = process.argv.slice(2);
const chunk = new Uint8Array(readFileSync(file)), n = Number(count);

// The lesser of seconds and of the process's CPU seconds: what node's helper
// threads do meanwhile is not held against it.
function rate(name, f) {
  let best = Infinity;
  const stop = performance.now() + 2500;
  do {
    const start = performance.now(), cpu = process.cpuUsage();
    for (let i = 0; i < 20; i++) f();
    const wall = performance.now() - start, used = process.cpuUsage(cpu);
    best = Math.min(best, wall, (used.user + used.system) / 1000);
  } while (performance.now() < stop);
  console.log(`${name} ${((20 * n) / best * 1000).toFixed(0)}`);
}

let seen = 0, bytes = 0, onFrame;
const parser = new Parser((raw) => onFrame(FrameImpl.fromRawFrame(raw, true)), () => {});
const feed = () => {
  seen = bytes = 0;
  parser.parseChunk(chunk.buffer.slice(chunk.byteOffset, chunk.byteOffset + chunk.length));
  if (seen !== n) process.exit(1);
};

onFrame = () => { seen++; };
rate("lazy", feed);

onFrame = (frame) => {
  seen++;
  bytes += frame.command.length + frame.body.length;
  for (const name in frame.headers) bytes += name.length + frame.headers[name].length;
};
rate("whole", feed);
if (bytes !== chunk.length - 15 * n) process.exit(1);

const headers = {
  destination: "/topic/prices.europe", receipt: "17", "content-type": "application/json",
  "correlation-id": "T_17@@session-q0Gm7C8cBx1Qx@@1024", persistent: "false",
};
const body = "{\"price\":1.0625}".repeat(4);
rate("encode", () => {
  for (let i = 0; i < n; i++) FrameImpl.marshall({ command: "SEND", headers, body, escapeHeaderValues: true });
});
