// Every key in words, for the list that `?` opens and for Help.

import { boot } from "./boot.mjs";

/** @type {{keys: string, does: string}[]} */
const FIRST = [
  { keys: "Ctrl K", does: "find a page, symbol or action (⌘ K on a Mac)" },
  { keys: "/", does: "the same" },
  { keys: "Ctrl Shift H", does: "opens the halt dialog, with the focus on Halt" },
  { keys: "?", does: "this list" },
];
/** @type {{keys: string, does: string}[]} */
const LAST = [
  { keys: "[ ]", does: "previous and next symbol" },
  { keys: "1 5 h 4 d", does: "a chart's interval: a minute, five, an hour, four, a day" },
  { keys: "j k", does: "next and previous row or card" },
  { keys: "Enter", does: "opens what has the focus" },
  { keys: "e", does: "saves the first list of the page as a file" },
  { keys: "Esc", does: "closes what lies over the page" },
];

export const keyList = () => [
  ...FIRST,
  ...boot.navigation.filter(({ key }) => key).map(({ key, title }) => ({ keys: `g ${key}`, does: title })),
  ...LAST,
];
