/** Instants as people read them: local, 24 hours, the zone told once. Pure but for that zone. */

const two = (value: number): string => String(value).padStart(2, "0");
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** `14:02:11`. */
export function clockTime(atMs: number): string {
  const at = new Date(atMs);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** `22 Nov`. */
export function dayOf(atMs: number): string {
  const at = new Date(atMs);
  return `${at.getDate()} ${MONTHS[at.getMonth()] ?? ""}`;
}

/** `Fri 22 Nov`. */
export function weekdayOf(atMs: number): string {
  return `${DAYS[new Date(atMs).getDay()] ?? ""} ${dayOf(atMs)}`;
}

/** `14:02:11` of today, `22 Nov 14:02` of another day. */
export function pointInTime(atMs: number, nowMs: number): string {
  if (new Date(atMs).toDateString() === new Date(nowMs).toDateString()) return clockTime(atMs);
  return `${dayOf(atMs)} ${clockTime(atMs).slice(0, 5)}`;
}

/** `UTC+02:00`, as the browser has it at an instant. */
export function zoneAt(atMs: number): string {
  const minutes = -new Date(atMs).getTimezoneOffset();
  if (minutes === 0) return "UTC";
  const size = Math.abs(minutes);
  return `UTC${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/** Words under the ticks of a time axis: times of the day, and the date where a day begins. */
export function axisTimes(seconds: readonly number[], stepSeconds: number): string[] {
  let day = "";
  return seconds.map((value) => {
    const at = new Date(value * 1000);
    const today = dayOf(value * 1000);
    const isNew = today !== day;
    day = today;
    if (stepSeconds >= 86_400) return today;
    const time = clockTime(value * 1000).slice(0, stepSeconds < 60 ? 8 : 5);
    return isNew && at.getHours() === 0 && at.getMinutes() === 0 ? today : time;
  });
}

/** Value of an `input type=datetime-local` for an instant. */
export function toLocalInput(atMs: number): string {
  const at = new Date(atMs);
  const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${date}T${two(at.getHours())}:${two(at.getMinutes())}`;
}
