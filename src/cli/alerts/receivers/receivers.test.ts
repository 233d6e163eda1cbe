import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import * as z from "zod/mini";

import { firingAlert, NOW_MS } from "../../../../test/support/alert-samples.ts";
import { makeCertificates, whyNoCertificates } from "../../../../test/support/certificates.ts";
import { ManualClock } from "../../../base/clock.ts";
import type { Alert, Notice } from "../../../watch/watch.ts";
import { receiverSchema } from "../alerts-options-schema.ts";
import { noticeSchema } from "../alerts-schema.ts";
import { encodedWords, quotedPrintable } from "./mail.ts";
import { noticeLines, summaryOf } from "./notice-text.ts";
import { openReceiver } from "./open-receivers.ts";
import { type Receiver, ReceiverError, type Sending } from "./receiver.ts";
import { signatureOf } from "./webhook.ts";

const directory = mkdtempSync(join(tmpdir(), "hr-receivers-"));
after(() => rmSync(directory, { recursive: true }));

const filledBy = {
  atMs: NOW_MS,
  flows: 2048,
  states: [{ name: "tcp ESTABLISHED", flows: 2048, share: 1 }],
  sources: [{ name: "10.77.1.2", flows: 1000, share: 0.488 }],
  services: [{ name: "tcp/443", flows: 2048, share: 1 }],
};

const notice: Notice = {
  id: "n1",
  kind: "fired",
  atMs: NOW_MS,
  alert: firingAlert,
  worst: "critical",
  instance: "gw",
  filledBy,
};

function sending(more: Partial<Notice> = {}, rest: Partial<Sending> = {}): Sending {
  return {
    notice: { ...notice, ...more },
    lost: 0,
    attempt: 1,
    signal: new AbortController().signal,
    ...rest,
  };
}

function open(options: object, dashboardUrl?: string): Receiver {
  const environment = { PATH: "/usr/bin:/bin", SECRET: "not for commands" };
  const deps = {
    clock: new ManualClock(NOW_MS),
    environment,
    ...(dashboardUrl === undefined ? {} : { dashboardUrl }),
  };
  return openReceiver(z.parse(receiverSchema, { name: "a", ...options }), deps);
}

interface Got {
  path: string;
  headers: IncomingMessage["headers"];
  body: string;
}

/** A server that answers like this; what it got. */
async function serverOf(
  t: TestContext,
  answer: (response: ServerResponse) => void,
  tls?: { key: Buffer; cert: Buffer; ca: Buffer; requestCert: true },
): Promise<{ url: string; got: Got[] }> {
  const got: Got[] = [];
  const take = (request: IncomingMessage, response: ServerResponse): void => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      got.push({ path: request.url ?? "", headers: request.headers, body });
      answer(response);
    });
  };
  const server: Server = tls === undefined ? createServer(take) : createTlsServer(tls, take);
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    got,
  };
}

function status(
  code: number,
  headers: Record<string, string> = {},
  body = "",
): (response: ServerResponse) => void {
  return (response) => void response.writeHead(code, headers).end(body);
}

async function failureOf(work: Promise<unknown>): Promise<ReceiverError> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  assert.ok(error instanceof ReceiverError, String(error));
  return error;
}

/** A script that keeps what it is given. */
function script(name: string, body: string): string {
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

// ---- webhook

test("webhook: a POST of headroom/alert/v1, signed, with its own headers", async (t) => {
  const { url, got } = await serverOf(t, status(204));
  const secret = join(directory, "secret");
  writeFileSync(secret, "s3cret\n");
  const receiver = open(
    { kind: "webhook", url: `${url}/hook`, secret_file: secret, headers: { "X-Team": "net" } },
    "http://127.0.0.1:9466",
  );
  const sampled = { occupancyFlows: 2048, filledBy: { ...filledBy, sampleFlows: 500 } };
  await receiver.deliver(sending(sampled, { lost: 2, attempt: 3 }));
  const [post] = got;
  assert.ok(post !== undefined);
  assert.deepEqual(
    [post.path, post.headers["content-type"], post.headers["x-team"]],
    ["/hook", "application/json", "net"],
  );
  const body = z.parse(noticeSchema, JSON.parse(post.body));
  assert.deepEqual([body.status, body.notice.attempt, body.notice.lostBefore], ["firing", 3, 2]);
  assert.match(body.text, /^CRITICAL gw: Table full: 2,048 of 2,048 flows/);
  const seconds = NOW_MS / 1000;
  const signed = createHmac("sha256", "s3cret").update(`${seconds}.${post.body}`).digest("hex");
  assert.equal(post.headers["headroom-signature"], `t=${seconds},v1=${signed}`);
  assert.equal(signatureOf("s3cret", seconds, post.body), `t=${seconds},v1=${signed}`);
});

for (const [code, wanted] of [
  [500, "failing"],
  [503, "failing"],
  [429, "failing"],
  [408, "failing"],
  [400, "refused"],
  [401, "refused"],
  [404, "refused"],
] as const) {
  test(`webhook: ${code} is ${wanted}, and what it says is told in one line`, async (t) => {
    const { url } = await serverOf(t, status(code, {}, "no\n\u001b[2Jway"));
    const error = await failureOf(open({ kind: "webhook", url }).deliver(sending()));
    assert.equal(error.code, wanted);
    assert.match(error.message, new RegExp(`^Cannot deliver to ${url}: it answered ${code}: no \\[2Jway$`));
  });
}

test("webhook: a redirect is refused and not followed", async (t) => {
  const other = await serverOf(t, status(200));
  const { url } = await serverOf(t, status(307, { location: `${other.url}/stolen` }));
  assert.equal((await failureOf(open({ kind: "webhook", url }).deliver(sending()))).code, "refused");
  assert.deepEqual(other.got, []);
});

test("webhook: nobody there, no answer in time and a stop are told apart", async (t) => {
  const down = await failureOf(open({ kind: "webhook", url: "http://127.0.0.1:1" }).deliver(sending()));
  assert.deepEqual(
    [down.code, down.message],
    ["unreachable", "Cannot deliver to http://127.0.0.1:1: nobody listens there"],
  );
  const silent = await serverOf(t, () => {});
  const late = await failureOf(open({ kind: "webhook", url: silent.url, timeout: "1s" }).deliver(sending()));
  assert.equal(late.code, "timed-out");
  const stopping = new AbortController();
  const work = open({ kind: "webhook", url: silent.url }).deliver(sending({}, { signal: stopping.signal }));
  stopping.abort();
  assert.equal((await failureOf(work)).code, "stopped");
  const endless = await serverOf(t, (response) => {
    response.writeHead(200);
    const write = (): boolean =>
      response.destroyed || (response.write("x".repeat(1000)), setImmediate(write), true);
    write();
  });
  assert.equal(await open({ kind: "webhook", url: endless.url }).deliver(sending()), undefined);
});

test(
  "webhook: over TLS, to whom a named authority vouches for, with a certificate of its own",
  { skip: whyNoCertificates },
  async (t) => {
    makeCertificates(directory, ["server", "client"], ["stranger"]);
    const file = (name: string): string => join(directory, name);
    const server = async (name: string): Promise<{ url: string; got: Got[] }> => {
      const [key, cert, ca] = [`${name}.key`, `${name}.crt`, "ca.crt"].map((end) => readFileSync(file(end)));
      return serverOf(t, status(200), { key, cert, ca, requestCert: true } as never);
    };
    const [good, strange] = [await server("server"), await server("stranger")];
    const own = { ca: file("ca.crt"), certificate: file("client.crt"), key: file("client.key") };
    await open({ kind: "webhook", url: good.url, ...own }).deliver(sending());
    assert.equal(good.got.length, 1);
    const failure = async (url: string, more: object = own): Promise<[string, string | undefined]> => {
      const { message, help } = await failureOf(open({ kind: "webhook", url, ...more }).deliver(sending()));
      return [message.slice(message.lastIndexOf(": ") + 2), help];
    };
    const nameIt = "Name the authority of its certificate with ca = FILE";
    assert.deepEqual(await failure(good.url, {}), ["nobody known vouches for its certificate", nameIt]);
    assert.deepEqual(await failure(strange.url), ["it signed its certificate itself", nameIt]);
    assert.deepEqual(await failure(good.url.replace("127.0.0.1", "localhost")), [
      "its certificate is for another name",
      "Write the name that its certificate has",
    ]);
    const plain = await serverOf(t, status(200));
    const [why, help] = await failure(plain.url.replace("http:", "https:"));
    assert.match(why, /does not speak TLS/);
    assert.equal(help, "Write http:// if it is a plain port");
    assert.deepEqual([strange.got.length, plain.got.length, good.got.length], [0, 0, 1]);
  },
);

for (const [name, options, why] of [
  [
    "a password",
    { url: `http://${["user", "%zz"].join(":")}@127.0.0.1:1` },
    /^Cannot deliver to http:\/\/127\.0\.0\.1:1: URI/,
  ],
  [
    "a file of an authority",
    { url: "https://127.0.0.1:1", ca: "/no" },
    /^Cannot read \/no: there is no such file$/,
  ],
  ["a certificate", { url: "https://127.0.0.1:1", certificate: "/etc/passwd" }, /^Cannot deliver to .*PEM/],
] as const) {
  test(`webhook: ${name} that cannot be used fails as a receiver does`, async () => {
    const usual = { kind: "webhook", url: "http://127.0.0.1:1" };
    const error = await failureOf(open({ ...usual, ...options }).deliver(sending()));
    assert.equal(error.code, "not-usable");
    assert.match(error.message, why);
  });
}

test("webhook: where it goes is shown without what is secret", () => {
  const account = "user:word@";
  const url = `https://${account}example.org/services/T000/B000/XXXXXXXXXXXXXXXXXXXX?key=1`;
  assert.equal(open({ kind: "webhook", url }).where, "https://example.org/services/T0...");
});

// ---- command

test("command: JSON on its input, the most important in its environment, no shell", async () => {
  const out = join(directory, "command-out");
  const path = script("command", `{ cat; printf '%s\\n' "$1"; env; } > ${out}; echo paged; echo really >&2`);
  const said = await open({ kind: "command", command: [path, "$(id) ; two words"] }).deliver(sending());
  assert.match(said ?? "", /paged/);
  const [json = "", argument, ...environment] = readFileSync(out, "utf8").split("\n");
  assert.equal(z.parse(noticeSchema, JSON.parse(json)).alert.id, firingAlert.id);
  assert.equal(argument, "$(id) ; two words");
  assert.ok(environment.includes("HEADROOM_ALERT_CODE=table-full"));
  assert.ok(environment.includes("HEADROOM_ALERT_LEVEL=critical"));
  assert.ok(!environment.some((line) => line.startsWith("SECRET=")));
});

test("command: what ends badly, takes too long or is not there fails with the reason", async () => {
  const bad = await failureOf(
    open({ kind: "command", command: [script("bad", "echo no pager >&2; exit 3")] }).deliver(sending()),
  );
  assert.deepEqual([bad.code, bad.message], ["failing", `${join(directory, "bad")} ended with 3: no pager`]);
  const left = join(directory, "left");
  const slow = script("slow", `(sleep 3; touch ${left}) & sleep 30`);
  const late = await failureOf(open({ kind: "command", command: [slow], timeout: "1s" }).deliver(sending()));
  assert.equal(late.code, "timed-out");
  const missing = await failureOf(
    open({ kind: "command", command: ["/no/such/program"] }).deliver(sending()),
  );
  assert.deepEqual(
    [missing.code, missing.message],
    ["not-usable", "Cannot run /no/such/program: there is no such program"],
  );
  await new Promise((resolve) => setTimeout(resolve, 2500));
  assert.equal(existsSync(left), false, "what it started must end with it");
});

for (const [name, command, why] of [
  ["a path through a file", ["/etc/passwd/pager"], /there is no such program$/],
  ["an argument that none can have", ["/bin/echo", "a\0b"], /null bytes/],
] as const) {
  test(`command: ${name} fails as a receiver does`, async () => {
    const error = await failureOf(open({ kind: "command", command }).deliver(sending()));
    assert.equal(error.code, "not-usable");
    assert.match(error.message, why);
  });
}

test("command: letters of both streams come whole, however they are cut", async () => {
  const path = script("letters", "printf '\\303'; sleep 0.2; printf x >&2; sleep 0.2; printf '\\274'");
  const said = (await open({ kind: "command", command: [path] }).deliver(sending())) ?? "";
  assert.deepEqual([...said].toSorted(), ["x", "ü"]);
});

test("command: one that does not read its input and prints without end is taken as it is", async () => {
  const path = script("loud", "exec 0<&-; head -c 3000000 /dev/zero | tr '\\0' x");
  assert.ok(((await open({ kind: "command", command: [path] }).deliver(sending())) ?? "").length <= 500);
});

// ---- mail

/** Header fields of a message, unfolded, and its body. */
function taken(message: string): { fields: Map<string, string>; body: string } {
  const [head = "", ...body] = message.split("\n\n");
  const lines = head.replaceAll(/\n[ \t]+/g, " ").split("\n");
  const fields = new Map(
    lines.map((line): [string, string] => [
      line.slice(0, line.indexOf(":")),
      line.slice(line.indexOf(":") + 2),
    ]),
  );
  assert.equal(fields.size, lines.length);
  return { fields, body: body.join("\n\n") };
}

async function mailed(more: Partial<Notice>): Promise<string> {
  const out = join(directory, "mail-out");
  const sendmail = script("sendmail", `printf '%s ' "$@" > ${out}.args; cat > ${out}`);
  const options = {
    kind: "mail",
    to: ["noc@example.org", "b@example.org"],
    from: "headroom@gw.example.org",
    sendmail,
  };
  await open(options, "http://127.0.0.1:9466").deliver(sending(more));
  assert.equal(readFileSync(`${out}.args`, "utf8"), "-t -i ");
  return readFileSync(out, "utf8");
}

test("mail: a message that says it all in its subject, and what to do in its body", async () => {
  const message = await mailed({});
  const { fields, body } = taken(message);
  assert.equal(
    fields.get("Subject"),
    "CRITICAL gw: Table full: 2,048 of 2,048 flows, 40 packets dropped in the last minute",
  );
  assert.equal(fields.get("To"), "noc@example.org, b@example.org");
  assert.equal(fields.get("Date"), new Date(NOW_MS).toUTCString().replace("GMT", "+0000"));
  assert.equal(fields.get("Message-ID"), "<n1@gw>");
  assert.match(body, /What fills the table \(2,048 flows at 2026-/);
  assert.match(body, /\$ headroom reclaim --emergency/);
  assert.ok(
    message.split("\n").every((line) => line.length <= 78),
    message,
  );
});

test("mail: nothing in a name can add a header, a recipient or a control character", async () => {
  const title = "x\r\nBcc: thief@example.com\r\n\r\nbody\u0000\u001b]0;\u202e";
  const instance = "gw\nTo: thief@example.com";
  const { fields, body } = taken(await mailed({ instance, alert: { ...firingAlert, title } }));
  assert.deepEqual(
    [...fields.keys()],
    [
      "From",
      "To",
      "Subject",
      "Date",
      "Message-ID",
      "References",
      "Auto-Submitted",
      "X-Headroom-Alert",
      "MIME-Version",
      "Content-Type",
      "Content-Transfer-Encoding",
    ],
  );
  assert.equal(fields.get("To"), "noc@example.org, b@example.org");
  const controls = [...fields.values(), body].join("").match(/\p{Cc}/gu) ?? [];
  assert.deepEqual(
    controls.filter((character) => character !== "\n"),
    [],
  );
});

for (const text of ["plain", "ü".repeat(200), "a".repeat(300), "=?utf-8?B?eA==?=", "short ü 漢字"]) {
  test(`mail: the subject ${text.slice(0, 12)} is read back as it was`, () => {
    const encoded = encodedWords(text);
    for (const line of `Subject: ${encoded}`.split("\n ")) {
      if (!text.startsWith("aaa")) assert.ok(line.length <= 76, line);
    }
    const words = [...encoded.matchAll(/=\?utf-8\?B\?([^?]*)\?=/g)].map(([, word = ""]) =>
      Uint8Array.fromBase64(word),
    );
    const read =
      words.length === 0
        ? encoded.replaceAll("\n ", " ")
        : words.map((word) => new TextDecoder("utf-8", { fatal: true }).decode(word)).join("");
    assert.equal(read, text);
  });
}

test("mail: quoted-printable as RFC 2045 wants it", () => {
  assert.equal(quotedPrintable("a = b "), "a =3D b=20");
  assert.equal(quotedPrintable("ü"), "=C3=BC");
  const long = quotedPrintable("é".repeat(60));
  assert.ok(long.split("\n").every((line) => line.length <= 76));
  assert.equal(long.replaceAll("=\n", ""), "=C3=A9".repeat(60));
});

test("mail: without sendmail it says what to install", async () => {
  const error = await failureOf(
    open({ kind: "mail", to: ["a@example.org"], sendmail: "/no/sendmail" }).deliver(sending()),
  );
  assert.match(error.help ?? "", /mail transport agent/);
});

// ---- Alertmanager, as a plain server; the real one is in test/kernel

interface Posted {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  startsAt: string;
  endsAt: string;
  generatorURL?: string;
}

function posted(got: readonly Got[], index: number): Posted[] {
  return JSON.parse(got[index]?.body ?? "[]") as Posted[];
}

test("alertmanager: labels, times and the link of an alert, at each of several", async (t) => {
  const [one, two] = [await serverOf(t, status(200)), await serverOf(t, status(200))];
  const receiver = open(
    { kind: "alertmanager", urls: [one.url, `${two.url}/am/`], labels: { site: "x" } },
    "http://127.0.0.1:9466",
  );
  await receiver.deliver(sending());
  assert.deepEqual([one.got[0]?.path, two.got[0]?.path], ["/api/v2/alerts", "/am/api/v2/alerts"]);
  const [alert] = posted(one.got, 0);
  assert.deepEqual(alert?.labels, {
    site: "x",
    alertname: "HeadroomTableFull",
    severity: "critical",
    instance: "gw",
    code: "table-full",
  });
  assert.equal(alert.startsAt, new Date(NOW_MS).toISOString());
  assert.equal(alert.endsAt, new Date(NOW_MS + 240_000).toISOString());
  assert.equal(alert.generatorURL, `http://127.0.0.1:9466/#/history/${firingAlert.id}`);
  assert.match(alert.annotations["remedy"] ?? "", /headroom reclaim --emergency/);
});

test("alertmanager: one of two is enough, none is a failure", async (t) => {
  const up = await serverOf(t, status(200));
  const said = await open({ kind: "alertmanager", urls: ["http://127.0.0.1:1", up.url] }).deliver(sending());
  assert.equal(up.got.length, 1);
  assert.match(said ?? "", /^1 of 2 did not take it: cannot deliver to .*: nobody listens there$/);
  assert.equal(await open({ kind: "alertmanager", urls: [up.url] }).deliver(sending()), undefined);
  const error = await failureOf(
    open({ kind: "alertmanager", urls: ["http://127.0.0.1:1"] }).deliver(sending()),
  );
  assert.equal(error.code, "unreachable");
});

test("alertmanager: another level ends the alert of the level before; resolved ends it", async (t) => {
  const { url, got } = await serverOf(t, status(200));
  const receiver = open({ kind: "alertmanager", urls: [url] });
  const warning: Alert = { ...firingAlert, level: "warning" };
  await receiver.deliver(sending({ alert: warning }));
  await receiver.deliver(sending({ kind: "worse" }));
  await receiver.refresh?.send([firingAlert], "gw", new AbortController().signal);
  await receiver.deliver(
    sending({ kind: "resolved", alert: { ...firingAlert, state: "resolved", resolvedAtMs: NOW_MS + 5 } }),
  );
  const ends = got.map((_, index) =>
    posted(got, index).map(({ labels, endsAt }) => `${labels["severity"]} ${Date.parse(endsAt) - NOW_MS}`),
  );
  assert.deepEqual(ends, [
    ["warning 240000"],
    ["warning 0", "critical 240000"],
    ["critical 240000"],
    ["critical 5"],
  ]);
});

test("alertmanager: least = critical keeps warnings out of the refresh", async (t) => {
  const { url, got } = await serverOf(t, status(200));
  const receiver = open({ kind: "alertmanager", urls: [url], least: "critical" });
  const warning: Alert = { ...firingAlert, level: "warning" };
  await receiver.refresh?.send([warning], "gw", new AbortController().signal);
  assert.deepEqual(got, []);
});

// ---- text

for (const [kind, wanted] of [
  ["fired", "CRITICAL gw: Table full"],
  ["reminder", "STILL CRITICAL gw: Table full"],
  ["again", "AGAIN CRITICAL gw: Table full"],
  ["resolved", "RESOLVED gw: Table full"],
  ["test", "TEST gw: Table full"],
] as const) {
  test(`the subject of ${kind} begins with ${wanted}`, () => {
    assert.ok(summaryOf({ ...notice, kind }).startsWith(wanted));
  });
}

test("the text of what is over says for how long it was, and gives no advice", () => {
  const alert: Alert = { ...firingAlert, state: "resolved", resolvedAtMs: NOW_MS + 600_000 };
  const text = noticeLines({ ...notice, kind: "resolved", alert }, 3).join("\n");
  assert.match(text, /It was critical, for 10m\./);
  assert.match(text, /3 notices were lost/);
  assert.doesNotMatch(text, /What to do/);
});
