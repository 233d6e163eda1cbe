/**
 * Mail by the host's own sendmail (-t: to whom stands in the header, -i: a lone dot does not end it), which
 * queues it. The message is as RFC 5322 and RFC 2045 to 2047 want it; what goes into a header is one plain
 * line, so nothing in a name can add another.
 */
import type { Clock } from "../../../base/clock.ts";
import { type Notice, plainLine } from "../../../watch/watch.ts";
import type { ReceiverOptions } from "../alerts-options-schema.ts";
import { noticeLines, summaryOf } from "./notice-text.ts";
import { type Receiver, type ReceiverDeps, ReceiverError } from "./receiver.ts";
import { runProgram } from "./run-program.ts";

export type MailOptions = Extract<ReceiverOptions, { kind: "mail" }>;

export function mail(options: MailOptions, deps: ReceiverDeps): Receiver {
  const { name, sendmail, timeout } = options;
  return {
    name,
    kind: "mail",
    where: options.to.join(", "),
    async deliver({ notice, lost, signal }) {
      const path = deps.environment["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin";
      try {
        await runProgram({
          program: sendmail,
          programArguments: ["-t", "-i"],
          input: mailOf({ notice, lost }, options, deps),
          environment: { PATH: path },
          timeoutSeconds: timeout,
          signal,
        });
      } catch (cause) {
        if (!(cause instanceof ReceiverError) || cause.code !== "not-usable") throw cause;
        throw new ReceiverError(
          "not-usable",
          cause.message,
          "Install a mail transport agent, or name its sendmail with sendmail = PATH",
          cause,
        );
      }
      return undefined;
    },
  };
}

/** The whole message, lines ended by LF as sendmail wants them. */
function mailOf(
  { notice, lost }: { notice: Notice; lost: number },
  { to, from }: Pick<MailOptions, "to" | "from">,
  { clock, dashboardUrl }: { clock: Clock; dashboardUrl?: string },
): string {
  const host = notice.instance.split(",")[0]?.replaceAll(/[^A-Za-z0-9.-]/g, "-") ?? "";
  const domain = /^[A-Za-z0-9]/.test(host) ? host : "localhost";
  const headers = [
    ["From", from === "" ? "" : plainLine(from, 200)],
    ["To", to.map((address) => plainLine(address, 200)).join(",\n ")],
    ["Subject", encodedWords(summaryOf(notice))],
    ["Date", dateText(clock.nowMs())],
    ["Message-ID", `<${notice.id}@${domain}>`],
    // What belongs to one alert is one thread.
    ["References", `<${notice.alert.id}@${domain}>`],
    ["Auto-Submitted", "auto-generated"],
    ["X-Headroom-Alert", `${notice.alert.code}; level=${notice.alert.level}; kind=${notice.kind}`],
    ["MIME-Version", "1.0"],
    ["Content-Type", "text/plain; charset=utf-8"],
    ["Content-Transfer-Encoding", "quoted-printable"],
  ].filter(([, value]) => value !== "");
  const head = headers.map(([name, value]) => `${name}: ${value}`).join("\n");
  const body = noticeLines(notice, lost, dashboardUrl).map(quotedPrintable).join("\n");
  return `${head}\n\n${body}\n`;
}

/** RFC 5322, 3.3: `Sun, 22 Nov 2026 14:02:03 +0000`. */
function dateText(atMs: number): string {
  return new Date(atMs).toUTCString().replace(/GMT$/, "+0000");
}

/** Bytes of UTF-8 in one encoded word: with `Subject: ` before it a line has at most 76 characters. */
const WORD_BYTES = 39;

/** RFC 2047: as it is where it is plain ASCII, else as encoded words. */
export function encodedWords(text: string): string {
  if (/^[\u0020-\u007e]*$/.test(text) && !text.includes("=?")) return folded(text);
  const words: string[] = [];
  let word = "";
  for (const character of text) {
    if (utf8(word + character).length > WORD_BYTES) {
      words.push(word);
      word = "";
    }
    word += character;
  }
  words.push(word);
  return words.map((part) => `=?utf-8?B?${utf8(part).toBase64()}?=`).join("\n ");
}

/** Lines of at most 78 characters where there is a blank to break at. */
function folded(text: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > 66) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join("\n ");
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

const LINE_MAX = 76;

/** RFC 2045, 6.7: one line of text, broken softly. */
export function quotedPrintable(line: string): string {
  const pieces = [...utf8(line)].map((byte, index, all) => {
    const atEnd = index === all.length - 1;
    const plain = (byte >= 33 && byte <= 126 && byte !== 61) || (byte === 32 && !atEnd);
    return plain ? String.fromCharCode(byte) : `=${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  });
  let [whole, length] = ["", 0];
  for (const piece of pieces) {
    if (length + piece.length > LINE_MAX - 1) {
      whole += "=\n";
      length = 0;
    }
    whole += piece;
    length += piece.length;
  }
  return whole;
}
