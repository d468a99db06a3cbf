// The pages that exist, in a rail beside the page, or along the bottom of a phone.

import { boot } from "../boot.mjs";
import { html } from "../html.mjs";
import { route, symbolPath } from "../router.mjs";
import { system } from "../store.mjs";
import { Icon } from "./icon.mjs";

/** A symbol's page needs a symbol: the one last looked at, else the first. @param {{name: string, href: string}} item */
function target(item) {
  if (item.name !== "symbol") return item.href;
  const current = route.value.name === "symbol" ? route.value.rest : "";
  const symbol = current || system.value.symbols[0];
  return symbol ? symbolPath(symbol) : item.href;
}

export function Navigation() {
  const { name } = route.value;
  return html`<nav class="navigation" aria-label="Pages">
    <ul>
      ${boot.navigation.map((item) => html`<li key=${item.name}>
        <a href=${target(item)} aria-current=${item.name === name ? "page" : undefined}
          title=${item.key ? `${item.title} (g ${item.key})` : item.title}>
          <${Icon} name=${item.name} size=${18} />
          <span>${item.title.split(" ")[0]}</span>
        </a>
      </li>`)}
    </ul>
  </nav>`;
}
