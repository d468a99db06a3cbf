// What whoever looks may do. The server decides; this only says it beforehand.

import { boot } from "./boot.mjs";

/** @param {"read" | "trade" | "halt" | "manage"} scope */
export const may = (scope) => !boot.scopes.length || boot.scopes.includes(scope);
