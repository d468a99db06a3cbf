// Who looks, and the ways out.

import { boot } from "../boot.mjs";
import { html } from "../html.mjs";
import { ability } from "../may.mjs";
import { Icon } from "./icon.mjs";

/** @param {{everywhere?: boolean, label: string}} props */
export const LogOut = ({ everywhere = false, label }) =>
  html`<form method="post" action="/logout">
    <input type="hidden" name="csrf_token" value=${boot.csrf_token} />
    ${everywhere && html`<input type="hidden" name="everywhere" value="true" />`}
    <button class="button"><${Icon} name="out" />${label}</button>
  </form>`;

export const UserButton = () =>
  html`<button type="button" class="icon-button user-button" popovertarget="user-menu" aria-label=${`User: ${boot.user ?? "local"}`}
    title=${`${boot.user ?? "Local user"}, ${ability()}`}>
    <${Icon} name="person" />
  </button>`;

/** The same in the menu and on a phone's sheet. */
export function Account() {
  if (!boot.login_required || !boot.user) {
    return html`<p><strong>Local user</strong></p>
      <p class="hint">No password is set: only this machine reaches the page, and whoever sits at it may do everything.</p>`;
  }
  return html`<p><strong>${boot.user}</strong> <span class="hint">${ability()}</span></p>
    <div class="menu-actions"><${LogOut} label="Log out" /><${LogOut} everywhere label="Log out everywhere" /></div>`;
}

export const UserMenu = () =>
  html`<div id="user-menu" class="popover user-menu" popover="auto" role="dialog" aria-label="User">
    <${Account} />
    <p><a href="/settings">Settings</a> · <a href="/help">Help</a></p>
  </div>`;
