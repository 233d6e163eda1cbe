/**
 * Calendar times as ctime(3) writes them (`Sun Nov 22 12:20:22 2026`), which is how conntrack(8) prints the
 * start and the end of a flow: without a time zone, in the one of the machine that printed them.
 */

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/**
 * Milliseconds since 1970-01-01 UTC; undefined when `text` is not such a time. `utcOffsetMinutes` is what the
 * clock that printed it is ahead of UTC.
 */
export function readCalendarTime(text: string, utcOffsetMinutes: number): number | undefined {
  const parts = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/.exec(
    text.trim(),
  );
  if (parts === null) return undefined;
  const [, monthName = "", day, hour, minute, second, year] = parts;
  const month = months.indexOf(monthName);
  if (month < 0) return undefined;
  const atMs = Date.UTC(Number(year), month, Number(day), Number(hour), Number(minute), Number(second));
  return atMs - utcOffsetMinutes * 60_000;
}
