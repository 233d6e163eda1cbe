/**
 * Numbers as text for long listings. The engine keeps the texts of the last thousands of numbers it wrote,
 * and what is kept at a garbage collection becomes old: 16 MB for every million flows. Put together from a
 * thousand texts made once, numbers leave nothing behind.
 */
const small = Array.from({ length: 1000 }, (_, number) => String(number));
const padded = small.map((text) => text.padStart(3, "0"));

/** As `String(number)`; meant for whole numbers. */
export function decimal(number: number): string {
  if (number < 1000) return small[number] ?? String(number);
  if (!Number.isSafeInteger(number)) return String(number);
  const thousands = Math.floor(number / 1000);
  return decimal(thousands) + (padded[number - thousands * 1000] as string);
}
