/** Reads Server-Sent Events from text as it comes (WHATWG HTML, 9.2.6). Pure. */

export interface StreamEvent {
  event: string;
  data: string;
}

/** Takes pieces of text at any boundary and gives whole events. */
export class EventReader {
  #rest = "";
  #event = "";
  #data: string[] = [];

  push(text: string): StreamEvent[] {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    return lines.flatMap((line) => this.#line(line));
  }

  #line(line: string): StreamEvent[] {
    if (line === "") {
      const found = { event: this.#event === "" ? "message" : this.#event, data: this.#data.join("\n") };
      const isWhole = this.#data.length > 0;
      this.#event = "";
      this.#data = [];
      return isWhole ? [found] : [];
    }
    const [, field = "", value = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (field === "event") this.#event = value;
    if (field === "data") this.#data.push(value);
    return [];
  }
}
