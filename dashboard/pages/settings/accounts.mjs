// Users with their roles, and tokens for scripts with their scopes.

import { useEffect, useState } from "preact/hooks";
import { Confirm } from "#app/components/dialog.mjs";
import { Badge, Empty, Moment } from "#app/components/figures.mjs";
import { Table } from "#app/components/panel.mjs";
import { html } from "#app/html.mjs";
import { online } from "#app/socket.mjs";
import { person } from "#app/words.mjs";
import { attempt, fault, known, load } from "./attempt.mjs";

const ROLES = /** @type {[string, string][]} */ ([
  ["viewer", "Viewer: looks"],
  ["operator", "Operator: trades and halts"],
  ["admin", "Admin: makes users and tokens too"],
]);
const SCOPES = /** @type {[string, string][]} */ ([
  ["read", "read facts"],
  ["trade", "trade: switch, sizing, commands"],
  ["halt", "halt only"],
]);
const NAME = "[A-Za-z0-9_\\-]{1,40}";

/** Loads once, and says what is not there. @param {{children: any}} props */
function Known({ children }) {
  useEffect(() => {
    if (online.value) load();
  }, [online.value]);
  if (fault.value) return html`<${Empty} title="Users and tokens could not be read">
    ${fault.value} <button type="button" class="link" onClick=${load}>Try again</button>
  <//>`;
  return known.value ? children : html`<${Empty} title="Loading…" />`;
}

/** @param {{made: any}} props */
const Made = ({ made }) =>
  made.made_at
    ? html`<${Moment} at=${made.made_at} /> <span class="quiet">by ${person(made.made_by)}</span>`
    : html`<span class="quiet">in the settings</span>`;

/** A name, a choice and a button. @param {{label: string, path: string, more: any, body: (name: string) => any, does: string}} props */
function NewForm({ label, path, more, body, does }) {
  const [name, setName] = useState("");
  const [wrong, setWrong] = useState("");
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const why = await attempt(path, body(name));
    setWrong(why);
    if (!why) setName("");
  };
  return html`<form class="new-account" onSubmit=${submit}>
    <label class="field"><span>${label}</span>
      <input class="input" required pattern=${NAME} maxlength="40" autocomplete="off" spellcheck=${false} title="letters, figures, _ and -"
        value=${name} onInput=${(/** @type {any} */ event) => setName(event.target.value)} />
    </label>
    ${more}
    <button class="button button-primary" disabled=${!online.value}>${does}</button>
    ${wrong && html`<p class="hint hint-bad new-account-fault" role="alert">${wrong}</p>`}
  </form>`;
}

/** @param {{name: string, what: string, says: string, does: string, act: () => Promise<string>, of?: string}} props */
function Asked({ name, what, says, does, act, of = " " }) {
  const whole = `${what}${of}${name}`;
  const [asking, setAsking] = useState(false);
  const [wrong, setWrong] = useState("");
  return html`<button type="button" class="button button-small" disabled=${!online.value} aria-label=${whole}
      onClick=${() => setAsking(true)}>${what}</button>
    ${wrong && html`<span class="hint hint-bad" role="alert">${wrong}</span>`}
    ${asking && html`<${Confirm} title=${`${whole}?`} confirm=${does} onClose=${() => setAsking(false)}
      onConfirm=${async () => setWrong(await act())}><p>${says}</p><//>`}`;
}

/** @param {{user: any}} props */
function UserRow({ user }) {
  const { name, role, totp } = user;
  const change = (/** @type {any} */ body) => attempt("accounts/users/change", { name, ...body });
  return html`<tr>
    <th scope="row">${name}</th>
    <td data-label="Role">
      <select class="select select-small" aria-label=${`Role of ${name}`} value=${role} disabled=${!online.value}
        onChange=${(/** @type {any} */ event) => change({ change: "role", role: event.target.value })}>
        ${ROLES.map(([one]) => html`<option key=${one} value=${one}>${one}</option>`)}
      </select>
      ${totp && html` <${Badge} tone="quiet">one-time codes<//>`}
    </td>
    <td data-label="Made"><${Made} made=${user} /></td>
    <td class="row-actions cell-wide">
      <span class="row-buttons">
        <${Asked} name=${name} what="New password" of=" for " does="Make it" says="It is shown once. Every login of this user ends."
          act=${() => change({ change: "new_password" })} />
        <${Asked} name=${name} what="Log out" does="Log out everywhere" says="Ends every login of this user."
          act=${() => change({ change: "end_logins" })} />
        <${Asked} name=${name} what="Remove" does="Remove" says="The user may do nothing from now on."
          act=${() => change({ change: "remove" })} />
      </span>
    </td>
  </tr>`;
}

export function Users() {
  const [role, setRole] = useState("viewer");
  const choice = html`<label class="field"><span>Role</span>
    <select class="select" value=${role} onChange=${(/** @type {any} */ event) => setRole(event.target.value)}>
      ${ROLES.map(([one, text]) => html`<option key=${one} value=${one}>${text}</option>`)}
    </select>
  </label>`;
  const list = known.value;
  return html`<${Known}>
    ${list && !list.password && html`<${Empty} title="There are no logins">
      Without <code>DASHBOARD_PASSWORD</code> only this machine reaches the page, and whoever sits at it may do everything.
    <//>`}
    ${list?.password && html`
      <p class="hint">Whoever has the password of the settings is <strong>operator</strong> and may do everything.</p>
      ${list.users.length > 0 && html`<${Table} label="Users" heads=${["User", "Role", "Made", ""]}>
        ${list.users.map((user) => html`<${UserRow} key=${user.name} user=${user} />`)}
      <//>`}
      <${NewForm} label="New user" path="accounts/users" does="Make the user" more=${choice}
        body=${(/** @type {string} */ name) => ({ name, role })} />
    `}
  <//>`;
}

/** @param {{token: any}} props */
const TokenRow = ({ token }) =>
  html`<tr>
    <th scope="row">${token.name}</th>
    <td data-label="Scopes">
      ${token.scopes.map((/** @type {string} */ scope) => html`<${Badge} key=${scope} tone="quiet">${scope}<//> `)}
    </td>
    <td data-label="Made"><${Made} made=${token} /></td>
    <td class="row-actions">
      ${token.made_at && html`<${Asked} name=${token.name} what="Revoke" does="Revoke" says="Whatever uses it is shut out at once."
        act=${() => attempt("accounts/tokens/revoke", { name: token.name })} />`}
    </td>
  </tr>`;

export function Tokens() {
  const [scopes, setScopes] = useState(["read"]);
  const toggle = (/** @type {string} */ scope) => (/** @type {any} */ event) =>
    setScopes(event.target.checked ? [...scopes, scope] : scopes.filter((one) => one !== scope));
  const choice = html`<fieldset class="scopes"><legend>May</legend>
    ${SCOPES.map(([scope, text]) => html`<label key=${scope} class="check">
      <input type="checkbox" checked=${scopes.includes(scope)} onChange=${toggle(scope)} />${text}
    </label>`)}
  </fieldset>`;
  const list = known.value?.tokens ?? [];
  return html`<${Known}>
    ${list.length > 0 && html`<${Table} label="Tokens" heads=${["Token", "Scopes", "Made", ""]}>
      ${list.map((token) => html`<${TokenRow} key=${token.name} token=${token} />`)}
    <//>`}
    <${NewForm} label="New token" path="accounts/tokens" does="Make the token" more=${choice}
      body=${(/** @type {string} */ name) => ({ name, scopes })} />
    <p class="hint">
      For scripts and phones: <code>Authorization: Bearer …</code>. A token that can only halt is safe to carry. Kept as a hash, on this
      machine alone.
    </p>
  <//>`;
}
