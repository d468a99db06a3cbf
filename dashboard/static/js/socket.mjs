// The one live connection: a snapshot on every connect, then numbered events. Nothing is ever sent through it but the plea for a new
// snapshot and whether anybody looks: a command that waited in a socket's buffer could fire late.

import { computed, signal } from "@preact/signals";
import { io } from "socket.io-client";
import { second, serverNow } from "./clock.mjs";
import { receive, replaceAll, TOPICS } from "./store.mjs";

/** `connecting` before the first snapshot, `open` once the page shows the truth, `closed` while it does not, `refused` without a login. */
export const connection = signal({ state: /** @type {"connecting" | "open" | "closed" | "refused"} */ ("connecting"), since: serverNow() });

/** Whether the server reaches Redis, since when, and what it says. */
export const bus = signal({ reachable: true, since: "", detail: "" });

/** True while what is shown is the present. */
export const online = computed(() => connection.value.state === "open" && bus.value.reachable);

/** Seconds since the connection was lost, 0 while it stands. */
export const offlineSeconds = computed(() =>
  connection.value.state === "open" ? 0 : Math.max(0, Math.round((second.value - connection.value.since) / 1_000)),
);

let expected = 0;
let behind = false;
/** When the server was last heard, its pings included. */
let heard = Date.now();
/** The server pings every six seconds: after two of them the line is dead, or this machine has slept. */
const SILENT_MS = 13_000;

const socket = io({ transports: ["websocket"], autoConnect: false, reconnectionDelay: 500, reconnectionDelayMax: 4_000, timeout: 8_000 });

/** @param {"connecting" | "open" | "closed" | "refused"} state */
function become(state) {
  if (connection.peek().state !== state) connection.value = { state, since: serverNow() };
}

function askAgain() {
  if (behind || !socket.connected) return;
  behind = true;
  socket.emit("resync");
}

/** @param {{seq: number}} message */
function count(message) {
  if (typeof message.seq !== "number") return;
  if (message.seq > expected) askAgain();
  expected = Math.max(expected, message.seq + 1);
}

/** @param {{reachable: boolean, since?: string, detail?: string}} state */
function showBus({ reachable, since = "", detail = "" }) {
  bus.value = { reachable, since, detail };
}

const silent = () => Date.now() - heard >= SILENT_MS;

/**
 * What comes after a silence was on its way before it: a machine that wakes finds it waiting, and it says nothing of the line.
 * A connection that stands since then is given up, be it the message or the clock that is first to tell.
 */
function hear() {
  if (silent() && connection.peek().state === "open") startAfresh();
  heard = Date.now();
}

/** A line that was cut says nothing, and a machine that wakes up finds its connections as it left them. */
function mind() {
  if (!document.hidden && socket.connected && silent()) startAfresh();
}

function startAfresh() {
  heard = Date.now();
  become("closed");
  socket.disconnect().connect();
}

function listen() {
  socket.onAny(hear);
  socket.io.on("ping", hear);
  socket.on("connect", hear);
  socket.on("snapshot", (snapshot) => {
    if (!socket.connected) return; // the last word of a line that was just given up
    behind = false;
    expected = snapshot.seq + 1;
    if (snapshot.bus) showBus(snapshot.bus);
    replaceAll(snapshot);
    become("open");
    tellWhetherHidden();
  });
  for (const topic of TOPICS) {
    socket.on(topic, (message) => {
      receive(topic, message.facts);
      count(message);
    });
  }
  socket.on("bus", showBus);
  socket.on("disconnect", (reason) => {
    become("closed");
    // The server's own goodbye (restart, log-out elsewhere) is the one case in which the client does not try again by itself.
    if (reason === "io server disconnect") setTimeout(() => socket.connect(), 1_000);
  });
  socket.on("connect_error", () => {
    if (!socket.active) refused();
    else if (connection.peek().state === "open") become("closed");
  });
}

/** The server is there and does not let us in: the login has ended, or it is shutting down. */
async function refused() {
  const answer = await fetch("/api/v1/snapshot", { headers: { accept: "application/json" } }).catch(() => null);
  if (answer?.status === 401) become("refused");
  else {
    become("closed");
    setTimeout(() => socket.connect(), 2_000);
  }
}

/** The server sends less to a page that nobody looks at. Said only while connected: nothing is kept to be said later. */
function tellWhetherHidden() {
  if (socket.connected) socket.emit("hidden", document.hidden);
}

/** After sleep or a network change: try now, not when the back-off says so. Going offline is left to the socket: loopback still answers. */
function hurry() {
  mind();
  tellWhetherHidden();
  if (!document.hidden && !socket.connected && connection.peek().state !== "refused") socket.disconnect().connect();
}

export function connect() {
  listen();
  document.addEventListener("visibilitychange", hurry);
  document.addEventListener("resume", hurry);
  window.addEventListener("online", hurry);
  setInterval(mind, 1_000);
  socket.connect();
}

/** Forces a new connection, for the button beside "disconnected". */
export const reconnect = () => socket.disconnect().connect();
