/**
 * Who may ask a real `headroom serve`, and who may change something through it: a token, TLS and client
 * certificates, `allow_changes`. A change is one of a namespace; /etc and /var/lib are covered (sandbox.ts).
 */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { makeCertificates, whyNoCertificates } from "../support/certificates.ts";
import { headroom, killServed, type Served, startServe, until } from "../support/served.ts";
import { whyNoSandbox, wordsInSandbox } from "../support/sandbox.ts";

const directory = mkdtempSync(join(tmpdir(), "hr-serve-changes-"));
after(killServed);
after(() => rmSync(directory, { recursive: true }));

const noCurl = spawnSync("curl", ["--version"]).error === undefined ? false : "curl is not installed";
const skip = whyNoCertificates || noCurl || (whyNoSandbox() ?? false);
const ESTABLISHED = "nf_conntrack_tcp_timeout_established";
const TOKENS = ["0123456789abcdef-first", "fedcba9876543210-second"] as const;

/** What the server answers; 0: there was no connection. */
function ask(
  { url }: Served,
  path: string,
  options: { token?: string; certificate?: string; change?: object },
): { status: number; body: string } {
  const { token, certificate, change } = options;
  const words = ["-s", "--cacert", "ca.crt", "-w", "\\n%{http_code}"];
  if (certificate !== undefined) words.push("--cert", `${certificate}.crt`, "--key", `${certificate}.key`);
  if (token !== undefined) words.push("-H", `Authorization: Bearer ${token}`);
  if (change !== undefined) words.push("-H", "X-Headroom: change", "--json", JSON.stringify(change));
  const { stdout } = spawnSync("curl", [...words, `${url}api/v1/${path}`], {
    cwd: directory,
    encoding: "utf8",
  });
  const end = stdout.lastIndexOf("\n");
  return { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) };
}

function configurationText(options: Readonly<Record<string, string | boolean>>): string {
  const files = Object.entries({ tls_certificate: "server.crt", tls_key: "server.key", ...options });
  const lines = files.map(
    ([key, value]) => `${key} = ${typeof value === "boolean" ? value : `"${join(directory, value)}"`}`,
  );
  return ["[server]", ...lines, ""].join("\n");
}

test("a change is made for who has the token, recorded and taken back", { skip }, async (t) => {
  const name = `hr-serve-changes-${process.pid}`;
  execFileSync("ip", ["netns", "add", name]);
  t.after(() => execFileSync("ip", ["netns", "del", name]));
  makeCertificates(directory, ["server", "client"]);
  const token = join(directory, "token");
  writeFileSync(token, `${TOKENS[0]}\n`, { mode: 0o600 });
  const file = join(directory, "headroom.toml");
  writeFileSync(file, configurationText({ token_file: "token", allow_changes: true }));
  const as = [...wordsInSandbox('exec "$0" "$@"')];
  const serve = await startServe(["--netns", name, "--config", file], { as });
  assert.match(serve.url, /^https:/);
  const inForce = (): string =>
    execFileSync("ip", ["netns", "exec", name, "cat", `/proc/sys/net/netfilter/${ESTABLISHED}`], {
      encoding: "utf8",
    }).trim();
  const inside = (...words: string[]): string =>
    execFileSync("nsenter", ["-t", String(serve.child.pid), "-m", headroom, ...words], { encoding: "utf8" });
  const before = inForce();
  const change = { settings: { [ESTABLISHED]: 43_200 } };
  const known = { token: TOKENS[0] };

  assert.equal(ask(serve, "status", {}).status, 401);
  assert.equal(ask(serve, "changes", { change }).status, 401);
  assert.equal(ask(serve, "changes", { token: "guess", change }).status, 401);
  assert.equal(inForce(), before);

  const made = ask(serve, "changes", { ...known, change });
  assert.equal(made.status, 200, made.body);
  assert.equal(inForce(), "43200");
  const { changes } = JSON.parse(inside("history", "--json")) as { changes: { id: string; state: string }[] };
  assert.equal(changes.length, 1);
  await until("the change is told, and whose it was", () => {
    const { settingChanges } = JSON.parse(ask(serve, "happenings", known).body) as {
      settingChanges: { key: string; suspects: string[] }[];
    };
    return settingChanges.some(
      ({ key, suspects }) => key === ESTABLISHED && suspects[0]?.includes(changes[0]?.id ?? "-") === true,
    );
  });
  inside("rollback", "--yes");
  assert.equal(inForce(), before);

  // Other token, no changes any more: from now on, without a restart.
  writeFileSync(token, `${TOKENS[1]}\n`);
  writeFileSync(file, configurationText({ token_file: "token", allow_changes: false }));
  makeCertificates(directory, ["server", "client"]);
  serve.child.kill("SIGHUP");
  await until("it took that over", () => serve.said().includes("Took over"));
  assert.match(serve.said(), /server.allow_changes the token the certificate/);
  assert.equal(ask(serve, "status", known).status, 401);
  const renewed = { token: TOKENS[1] };
  assert.equal(ask(serve, "status", renewed).status, 200);
  assert.equal(ask(serve, "changes", { ...renewed, change }).status, 403);
  assert.equal(inForce(), before);

  // What cannot be used changes nothing.
  writeFileSync(token, "short\n");
  serve.child.kill("SIGHUP");
  await until("the mistake is told", () => serve.said().includes("fewer than 16 characters"));
  assert.equal(ask(serve, "status", renewed).status, 200);

  assert.ok(!TOKENS.some((each) => serve.said().includes(each)), "the log keeps the token to itself");
  assert.equal(await serve.end(), 0);
});

test("with client certificates it speaks to those it knows, and to nobody else", { skip }, async (t) => {
  const name = `hr-serve-certificate-${process.pid}`;
  execFileSync("ip", ["netns", "add", name]);
  t.after(() => execFileSync("ip", ["netns", "del", name]));
  makeCertificates(directory, ["stranger"]);
  makeCertificates(directory, ["server", "client"]);
  const file = join(directory, "certificates.toml");
  writeFileSync(file, configurationText({ client_ca: "ca.crt" }));
  const serve = await startServe(["--netns", name, "--config", file, "--state", join(directory, "state")]);
  assert.equal(ask(serve, "status", {}).status, 0);
  assert.equal(ask(serve, "status", { certificate: "stranger" }).status, 0);
  assert.equal(ask(serve, "status", { certificate: "client" }).status, 200);
  const change = { settings: { [ESTABLISHED]: 43_200 } };
  assert.equal(ask(serve, "changes", { certificate: "client", change }).status, 403);
  assert.equal(await serve.end(), 0);
});
