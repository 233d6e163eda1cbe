/**
 * Values of headroom.toml as people write them, and what they mean: `"2d"` is seconds, `"512M"` is bytes,
 * `"1%"` is a share of 1.
 */
import * as z from "zod/mini";

import { parseDuration } from "../../table/duration.ts";
import { parseMemory } from "../figures.ts";

const written = z.union([z.string(), z.number()]);

/** Reads what is written; `read` gives undefined where it cannot be meant. */
function meaning<Value>(wanted: string, read: (text: string) => Value | undefined) {
  return z.pipe(
    written,
    z.transform((found: string | number, context): Value => {
      const value = read(String(found));
      if (value !== undefined) return value;
      context.issues.push({ code: "custom", message: `wanted ${wanted}`, input: found });
      return z.NEVER;
    }),
  );
}

/** What reads a value that is written as text or as a number. */
export type Meaning<Value> = ReturnType<typeof meaning<Value>>;

export interface Bounds {
  least: number;
  most?: number;
}

function within(value: number | undefined, { least, most = Infinity }: Bounds): number | undefined {
  return value !== undefined && value >= least && value <= most ? value : undefined;
}

/** A duration in whole seconds: `"90s"`, `"1d12h"`, `30`. `wanted` says the bounds to people. */
export function durationOption(wanted: string, bounds: Bounds): Meaning<number> {
  return meaning(wanted, (text) => within(parseDuration(text), bounds));
}

/** A size in bytes: `"512M"`, `"1G"`; binary units. */
export function sizeOption(wanted: string, bounds: Bounds): Meaning<number> {
  return meaning(wanted, (text) => within(parseMemory(text), bounds));
}

/** A share of 1, written in per cent: `"1%"`, `"0.5%"`. */
export function shareOption(wanted: string, bounds: Bounds): Meaning<number> {
  return meaning(wanted, (text) => {
    const percent = /^(\d+(?:\.\d+)?)\s*%$/.exec(text.trim())?.[1];
    return percent === undefined ? undefined : within(Number(percent) / 100, bounds);
  });
}

/** An address and port as they stand in a URL. */
export interface ListenAddress {
  /** `127.0.0.1`, `::1`, `localhost`; without brackets. */
  host: string;
  /** 0: one that is free. */
  port: number;
}

const MOST_PORT = 65_535;

/** `127.0.0.1:9466`, `[::1]:9466`, `localhost:9466`; undefined when it is no address with a port. */
export function parseListen(text: string): ListenAddress | undefined {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  return host === undefined || port > MOST_PORT ? undefined : { host, port };
}

export const listenOption: Meaning<ListenAddress> = meaning(
  "an address and a port, such as 127.0.0.1:9466 or [::1]:9466",
  parseListen,
);

/** A whole number within bounds. */
export function countOption(least: number, most: number): z.ZodMiniInt {
  return z.int().check(z.minimum(least), z.maximum(most));
}
