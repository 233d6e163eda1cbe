/** Starts the dashboard: styles, theme, the live connection, the page. */
import { render } from "preact";

import { App } from "./app.tsx";
import { startConnection } from "./state/connection.ts";
import { startRouting } from "./state/route.ts";
import { startTheme } from "./state/theme.ts";
import "./style/base.css";
import "./style/shell.css";
import "./style/parts.css";
import "./style/charts.css";
import "./style/views.css";
import "./style/narrow.css";

const page = document.querySelector("#page");
if (page !== null) {
  startTheme();
  startRouting();
  render(<App />, page);
  startConnection();
}
