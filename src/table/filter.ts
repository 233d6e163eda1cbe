/**
 * The filter language: which flows are meant, in words that an operator would use.
 *
 *   state=ESTABLISHED and idle>1h and not source=10.0.0.0/8
 *   tcp dport=443 unreplied
 *   (port in 80,443 or port=8000-8999) and bytes<1k
 *
 * Grammar, keywords in any case:
 *
 *   filter     = or ; an empty filter means all flows
 *   or         = and { ("or" | "||" | "|") and }
 *   and        = not { ["and" | "&&" | "&"] not } ; conditions side by side are all wanted
 *   not        = ("not" | "!") not | "(" or ")" | condition
 *   condition  = field [operator] values | name | "all" ; no operator means =
 *   operator   = "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">=" | "in" | "not in"
 *   name       = of a status, protocol, state or family
 *   values     = value { "," value }
 *   value      = word | "quoted text" ; numbers, ports and durations also as from-to
 *
 * A field with several values in a flow (`port`, `address`) fits when one of them does; `!=` is the opposite
 * of `=`.
 *
 * Logic has three values: what the source does not tell is unknown, and neither a condition on it nor its
 * opposite selects the flow. `not idle>1h` does not select flows whose idle age is unknown. What cannot be
 * (the port of an ICMP flow, the state of a UDP flow) is not unknown but false.
 *
 * Selecting is in filter-match.ts, fields and values are in filter-fields.ts.
 */
import {
  type FieldKind,
  type FilterField,
  filterFieldNamed,
  filterFieldNames,
  filterFields,
  type FilterValue,
  formatFilterValue,
  isOrdered,
  parseFilterValue,
  valueForms,
  valueWords,
} from "./filter-fields.ts";
import { nearestWord, type Token, tokensOf } from "./filter-words.ts";

export type FilterOperator = "=" | "!=" | "<" | "<=" | ">" | ">=";

export type Filter =
  | { kind: "all" }
  | { kind: "and" | "or"; parts: readonly Filter[] }
  | { kind: "not"; part: Filter }
  /** One value for an operator with an order, at least one for `=` (any of them) and `!=` (none of them). */
  | { kind: "compare"; field: FilterField; operator: FilterOperator; values: readonly FilterValue[] };

/**
 * What is wrong with a filter: a word out of place, an unknown word, a value that is none, or too many
 * parentheses.
 */
export type FilterErrorCode = "syntax" | "unknown-word" | "bad-value" | "too-deep";

/**
 * A filter that cannot be read. The message has four lines: what is wrong, the filter, a caret under the
 * place, and what would do.
 */
export class FilterError extends Error {
  override name = "FilterError";
  readonly code: FilterErrorCode;
  /** Where in the filter. */
  readonly at: number;
  readonly length: number;

  constructor(
    code: FilterErrorCode,
    filter: string,
    place: { at: number; length: number },
    words: FilterErrorWords,
  ) {
    // A tab or a line break would move the caret; each is shown as one blank.
    const line = filter.replaceAll(/\s/g, " ");
    const caret = " ".repeat(place.at) + "^".repeat(Math.max(1, place.length));
    super([`Cannot read the filter: ${words.problem}`, `  ${line}`, `  ${caret}`, words.wanted].join("\n"));
    this.code = code;
    this.at = place.at;
    this.length = place.length;
  }
}

interface FilterErrorWords {
  problem: string;
  wanted: string;
}

/** Parentheses and negations inside each other; beyond it no person wrote the filter. */
const MOST_DEPTH = 100;

const operators: Readonly<Record<string, FilterOperator>> = {
  "=": "=",
  "==": "=",
  "!=": "!=",
  "<>": "!=",
  "<": "<",
  "<=": "<=",
  ">": ">",
  ">=": ">=",
};

/** Kinds whose values may stand alone, as `tcp` or `unreplied`, in the order in which they are tried. */
const BARE_KINDS = ["status", "protocol", "family", "state"] as const satisfies readonly FieldKind[];

/** Reads a filter; throws FilterError. */
export function parseFilter(text: string): Filter {
  return new Parser(text).parse();
}

class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokensOf(text);
  }

  parse(): Filter {
    if (this.#peek().kind === "end") return { kind: "all" };
    const filter = this.#or();
    const rest = this.#peek();
    if (rest.kind === "end") return filter;
    if (rest.text === ")")
      this.#fail("syntax", rest, "this parenthesis was never opened", "Drop it, or open it before");
    return this.#fail(
      "syntax",
      rest,
      `${shown(rest)} is out of place`,
      "Expected a condition, and, or, or the end",
    );
  }

  #or(): Filter {
    const parts = [this.#and()];
    while (this.#take("or", "||", "|")) parts.push(this.#and());
    return joined("or", parts);
  }

  #and(): Filter {
    const parts = [this.#not()];
    for (;;) {
      if (this.#take("and", "&&", "&")) parts.push(this.#not());
      else if (this.#beginsCondition()) parts.push(this.#not());
      else return joined("and", parts);
    }
  }

  #beginsCondition(): boolean {
    const token = this.#peek();
    if (token.kind === "end") return false;
    if (token.kind === "symbol") return token.text === "(" || token.text === "!";
    return !isKeyword(token, "or");
  }

  #not(): Filter {
    const token = this.#peek();
    this.#depth++;
    if (this.#depth > MOST_DEPTH) {
      this.#fail(
        "too-deep",
        token,
        "too many parentheses inside each other",
        `At most ${MOST_DEPTH} are read`,
      );
    }
    const filter = this.#negated() ?? this.#grouped() ?? this.#condition();
    this.#depth--;
    return filter;
  }

  #negated(): Filter | undefined {
    return this.#take("not", "!") ? { kind: "not", part: this.#not() } : undefined;
  }

  #grouped(): Filter | undefined {
    const opening = this.#peek();
    if (!this.#take("(")) return undefined;
    const filter = this.#or();
    if (!this.#take(")")) {
      this.#fail(
        "syntax",
        this.#peek(),
        "a parenthesis is still open here",
        `Expected ) for the ( at ${opening.at + 1}`,
      );
    }
    return filter;
  }

  #condition(): Filter {
    const token = this.#advance();
    if (token.kind !== "word" || isKeyword(token, "and", "or", "in")) {
      return this.#fail("syntax", token, `${shown(token)} is no condition`, wantedCondition(token));
    }
    const field = this.#fieldOf(token);
    const operator = this.#operator();
    if (operator === undefined) {
      const bare = bareCondition(token.text);
      if (bare !== undefined) return bare;
      if (field !== undefined && !this.#valueFollows()) return this.#failWithoutValue(field);
    }
    if (field === undefined) return this.#failUnknownWord(token, operator !== undefined);
    return this.#compared(field, operator ?? { text: "=", token });
  }

  /** The field a word names; `src port` and `dst host` are taken as tcpdump means them. */
  #fieldOf(token: Token): FilterField | undefined {
    const field = filterFieldNamed(token.text);
    if (field !== "source" && field !== "destination") return field;
    if (this.#take("host", "net")) return field;
    return this.#take("port") ? `${field}-port` : field;
  }

  /** The operator that comes next, if one does. */
  #operator(): { text: FilterOperator; token: Token } | undefined {
    const token = this.#peek();
    if (token.kind === "symbol" && Object.hasOwn(operators, token.text)) {
      this.#next++;
      return { text: operators[token.text] as FilterOperator, token };
    }
    if (this.#take("in")) return { text: "=", token };
    const following = this.#tokens[this.#next + 1];
    if (isKeyword(token, "not") && following !== undefined && isKeyword(following, "in")) {
      this.#next += 2;
      return { text: "!=", token };
    }
    return undefined;
  }

  #valueFollows(): boolean {
    const token = this.#peek();
    return token.kind === "quoted" || (token.kind === "word" && !isKeyword(token, "and", "or", "not"));
  }

  #compared(field: FilterField, operator: { text: FilterOperator; token: Token }): Filter {
    const { kind } = filterFields[field];
    if (operator.text !== "=" && operator.text !== "!=" && !isOrdered(kind)) {
      const wanted = `Expected = or != or in, for ${field} has no order`;
      this.#fail("syntax", operator.token, `${field} cannot be compared with ${operator.text}`, wanted);
    }
    const values = [this.#value(field, kind)];
    const comma = this.#peek();
    while (this.#take(",")) values.push(this.#value(field, kind));
    if (operator.text !== "=" && operator.text !== "!=") this.#requireOne(operator.text, values, comma);
    return { kind: "compare", field, operator: operator.text, values };
  }

  #requireOne(operator: FilterOperator, values: readonly FilterValue[], comma: Token): void {
    const [value] = values;
    const isRange = value?.kind === "range" && value.from !== value.to;
    if (values.length === 1 && !isRange) return;
    const place = isRange ? (this.#tokens[this.#next - 1] ?? comma) : comma;
    this.#fail(
      "syntax",
      place,
      `${operator} takes one value`,
      "Expected one value, or = with a list or a range",
    );
  }

  #value(field: FilterField, kind: FieldKind): FilterValue {
    const token = this.#advance();
    if (token.kind !== "word" && token.kind !== "quoted") {
      this.#fail("syntax", token, `a value of ${field} is missing`, `Expected ${valueForms[kind]}`);
    }
    const value = parseFilterValue(kind, token.text);
    if (value !== undefined) return value;
    const meant = nearestWord(token.text, valueWords(kind));
    const wanted = `Expected ${valueForms[kind]}${meant === undefined ? "" : `; did you mean ${meant}?`}`;
    return this.#fail("bad-value", token, `${shown(token)} is no value of ${field}`, wanted);
  }

  #failWithoutValue(field: FilterField): never {
    const { kind } = filterFields[field];
    const wanted = `Expected = and ${valueForms[kind]}`;
    return this.#fail("syntax", this.#peek(), `${field} is compared with nothing`, wanted);
  }

  /** A word that is neither a field nor a name; only a field can be compared. */
  #failUnknownWord(token: Token, compared: boolean): never {
    const bare = compared ? [] : BARE_KINDS.flatMap((kind) => valueWords(kind));
    const meant = nearestWord(token.text, [...Object.keys(filterFields), ...filterFieldNames(), ...bare]);
    const known = compared ? "a field" : "a field or the name of a status, protocol or state";
    const hint =
      meant === undefined ? `Fields are ${Object.keys(filterFields).join(", ")}` : `Did you mean ${meant}?`;
    return this.#fail("unknown-word", token, `${shown(token)} is not ${known}`, hint);
  }

  #peek(): Token {
    return this.#tokens[this.#next] as Token;
  }

  #advance(): Token {
    const token = this.#peek();
    if (token.kind !== "end") this.#next++;
    return token;
  }

  /** Moves past the next token when it is one of these words or symbols. */
  #take(...texts: readonly string[]): boolean {
    const token = this.#peek();
    const found = token.kind === "symbol" ? texts.includes(token.text) : isKeyword(token, ...texts);
    if (found) this.#next++;
    return found;
  }

  #fail(code: FilterErrorCode, place: Token, problem: string, wanted: string): never {
    throw new FilterError(code, this.#text, place, { problem, wanted });
  }
}

function isKeyword(token: Token, ...words: readonly string[]): boolean {
  return token.kind === "word" && words.includes(token.text.toLowerCase());
}

function shown(token: Token): string {
  return token.kind === "end" ? "the end" : `"${token.text}"`;
}

function wantedCondition(token: Token): string {
  const example = "Expected a condition such as state=ESTABLISHED, idle>1h or unreplied";
  return token.text === '"' ? "Expected a second quotation mark" : example;
}

/** `tcp`, `unreplied`, `established`, `ipv6` standing alone. */
function bareCondition(word: string): Filter | undefined {
  if (word.toLowerCase() === "all") return { kind: "all" };
  if (/^\d/.test(word) || word.toLowerCase() === "none") return undefined;
  for (const kind of BARE_KINDS) {
    const value = parseFilterValue(kind, word);
    if (value !== undefined) return { kind: "compare", field: kind, operator: "=", values: [value] };
  }
  return undefined;
}

/** Parts of the same kind lie in one list: `a and (b and c)` is `a and b and c`. */
function joined(kind: "and" | "or", parts: readonly Filter[]): Filter {
  const flat = parts.flatMap((part) => (part.kind === kind ? part.parts : [part]));
  return flat.length === 1 ? (flat[0] as Filter) : { kind, parts: flat };
}

/** Writes a filter in its plainest form; parseFilter reads it back as the same filter. */
export function formatFilter(filter: Filter): string {
  switch (filter.kind) {
    case "all":
      return "all";
    case "and":
      return filter.parts
        .map((part) => (part.kind === "or" ? `(${formatFilter(part)})` : formatFilter(part)))
        .join(" and ");
    case "or":
      return filter.parts.map(formatFilter).join(" or ");
    case "not":
      return filter.part.kind === "and" || filter.part.kind === "or"
        ? `not (${formatFilter(filter.part)})`
        : `not ${formatFilter(filter.part)}`;
    case "compare": {
      const { field, operator, values } = filter;
      const list = values.map((value) => formatFilterValue(filterFields[field].kind, value)).join(",");
      return field === "status" && operator === "=" && values.length === 1
        ? list
        : `${field}${operator}${list}`;
    }
  }
}

/** Every field a filter asks about: what must be known for it to select anything. */
export function filterFieldsOf(filter: Filter): Set<FilterField> {
  switch (filter.kind) {
    case "all":
      return new Set();
    case "not":
      return filterFieldsOf(filter.part);
    case "compare":
      return new Set([filter.field]);
    default:
      return new Set(filter.parts.flatMap((part) => [...filterFieldsOf(part)]));
  }
}
