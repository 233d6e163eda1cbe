/**
 * Whole numbers as the kernel reads them from a file of /proc/sys: blanks, an optional minus, then digits in
 * base 0 of strtoul(3), so `0x10` is 16 and `010` is 8; after a blank anything may follow and is not looked
 * at. No plus, no fraction, no digit groups. Measured on 6.18.
 */
export function wholeNumber(text: string): number | undefined {
  const match = /^\s*(-?)(0x[\da-f]+|\d+)(?=$|[ \t\n])/i.exec(text);
  if (match === null) return undefined;
  const digits = match[2] ?? "";
  const octal = /^0\d/.test(digits);
  if (octal && /[89]/.test(digits)) return undefined;
  const value = octal ? Number.parseInt(digits, 8) : Number(digits);
  return match[1] === "-" ? 0 - value : value;
}
