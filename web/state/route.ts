/** Which view is shown, and with what: the part of the address behind `#`, so that every view is a link. */
import { signal } from "@preact/signals";

export const VIEWS = [
  { id: "overview", title: "Overview" },
  { id: "fills", title: "What fills it" },
  { id: "flows", title: "Entries" },
  { id: "whatif", title: "What if" },
  { id: "namespaces", title: "Namespaces" },
  { id: "history", title: "History" },
  { id: "settings", title: "Settings" },
] as const;

export type ViewId = (typeof VIEWS)[number]["id"];

export interface Route {
  view: ViewId;
  /** What follows the view in the path: the id of an incident. */
  rest: string;
  query: URLSearchParams;
}

export const route = signal<Route>({ view: "overview", rest: "", query: new URLSearchParams() });

/** Reads `#/fills?term=tcp`. What is not known leads to the overview. */
export function readRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#?\/?/, "").split("?", 2);
  const [first = "", ...rest] = path.split("/");
  const view = VIEWS.find(({ id }) => id === first)?.id ?? "overview";
  return { view, rest: decoded(rest.join("/")), query: new URLSearchParams(query) };
}

/** An address that was typed or cut off may hold a `%` that stands for nothing. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The address of a view. */
export function linkTo(view: ViewId, query: Readonly<Record<string, Value>> = {}, rest = ""): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of typeof value === "object" ? value : [value])
      if (one !== undefined && one !== "") search.append(name, String(one));
  }
  const text = search.toString();
  const path = rest === "" ? view : `${view}/${encodeURIComponent(rest)}`;
  return `#/${path}${text === "" ? "" : `?${text}`}`;
}

type Value = string | number | undefined | readonly string[];

/** Goes to an address; `replace` leaves no step in the browser's history. */
export function goTo(link: string, replace = false): void {
  if (replace) history.replaceState(null, "", link);
  else history.pushState(null, "", link);
  route.value = readRoute(location.hash);
}

/** Follows the address bar and the back button. */
export function startRouting(): void {
  const follow = (): void => {
    route.value = readRoute(location.hash);
  };
  addEventListener("hashchange", follow);
  addEventListener("popstate", follow);
  follow();
}
