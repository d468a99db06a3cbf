// The facts as they arrive: decimals are strings, times ISO in UTC, absent values are left out.

export interface Fact {
  id: string;
  symbol?: string;
  at: string;
  made_at: string;
  inputs?: string[];
  config?: string;
  revision?: number;
  simulated?: boolean;
  [field: string]: any;
}

export interface Bar extends Fact {
  timeframe: string;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
}
export interface Indicators extends Fact {
  timeframe: string;
  price: number;
  values: Record<string, number>;
  origins?: Record<string, string>;
}
export interface Quote extends Fact {
  bid?: string;
  ask?: string;
  last?: string;
  feed: string;
}
export interface Venue {
  session: "pre" | "regular" | "after" | "closed" | "always";
  next_open?: string;
  next_close?: string;
  early_close?: boolean;
  holiday?: string;
}
export interface Market extends Fact {
  stocks: Venue;
  crypto?: Venue;
  freshness?: Record<string, { poll_seconds: number; within_bar: boolean; reason?: string }>;
}
/** Seconds since 1970: pre-market begins, regular session opens and closes, after-hours end; of each trading day, ascending. */
export interface Calendar extends Fact {
  exchange: string;
  days: [number, number, number, number][];
}
export interface Instrument extends Fact {
  tradable: boolean;
  fractionable: boolean;
  shortable: boolean;
  quantity_increment: string;
  price_increment?: string;
  minimum_quantity: string;
  minimum_notional: string;
  maximum_notional?: string;
}
export interface Contribution {
  engine: string;
  signal_id: string;
  weight: number;
  share: number;
  conviction?: number;
  confidence?: number;
  direction?: string;
  abstained?: string;
}
export interface Decision extends Fact {
  timeframe: string;
  action: "buy" | "sell" | "hold";
  score: number;
  confidence: number;
  reasoning: string;
  contributions: Contribution[];
  coverage: number;
  price: number;
}
export interface Check {
  code: string;
  passed: boolean;
  detail?: string;
  value?: string;
  limit?: string;
}
export interface Outcome extends Fact {
  origin: string;
  origin_id: string;
  outcome: "executed" | "submitted" | "skipped" | "refused" | "failed";
  code: string;
  reason?: string;
  order?: Terms;
  order_id?: string;
  client_order_id?: string;
  filled_quantity?: string;
  average_price?: string;
  checks?: Check[];
}
export interface Terms {
  side: "buy" | "sell";
  type: string;
  quantity: string;
  time_in_force: string;
  limit_price?: string;
  stop_price?: string;
}
export interface Order extends Fact {
  order_id: string;
  client_order_id: string;
  terms: Terms;
  status: string;
  broker_status: string;
  filled_quantity?: string;
  average_price?: string;
  submitted_at?: string;
  ours?: boolean;
  reason?: string;
}
export interface Fill extends Fact {
  order_id: string;
  client_order_id: string;
  side: "buy" | "sell";
  quantity: string;
  price: string;
  cumulative: string;
  fee?: string;
  fee_asset?: string;
}
export interface Position extends Fact {
  quantity: string;
  available?: string;
  average_price?: string;
  last_price?: string;
  value: string;
  unrealized: string;
  realized_today?: string;
  stop_price?: string;
  target_price?: string;
}
export interface Account extends Fact {
  account: string;
  mode: "paper" | "live";
  broker: string;
  currency?: string;
  equity: string;
  cash: string;
  buying_power: string;
  day_start_equity: string;
  peak_equity: string;
  day_change: string;
  exposure_long?: string;
  exposure_short?: string;
  working?: string;
  orders_open?: number;
  blocked?: string;
  reconciled_at?: string;
  differences?: number;
  mismatches?: { at: string; symbol: string; what: string; ours: string; broker: string }[];
}
export interface TradingSwitch extends Fact {
  state: "off" | "on";
  reduce_only?: boolean;
  reason?: string;
  by: string;
  revision: number;
}
export interface Halt extends Fact {
  code: string;
  reason?: string;
  by: string;
  lifted_by?: string;
  lifted_reason?: string;
}
export interface TradingEffective extends Fact {
  account: string;
  state: "off" | "on" | "halted" | "starting";
  reduce_only?: boolean;
  trading_revision: number;
  halt_id?: string;
  draining?: number;
  missing?: Record<string, string>;
  replica: string;
}
export interface Pause extends Fact {
  by: string;
  reason?: string;
  ended_by?: string;
}
export interface TradeSettings extends Fact {
  mode: "percent" | "fixed";
  percent: string;
  fixed_amount: string;
  by: string;
  revision: number;
}
export interface ModelState extends Fact {
  phase: "off" | "unreachable" | "missing" | "pulling" | "loading" | "ready" | "degraded";
  model: string;
  percent?: number;
  processor?: string;
  latency_ms?: number;
  tokens_per_second?: number;
  detail?: string;
}
export interface CommandResult extends Fact {
  command_id: string;
  service: string;
  ok: boolean;
  final: boolean;
  detail?: string;
}
export interface Configuration extends Fact {
  process: string;
  version: string;
  settings: Record<string, any>;
}
export interface Heartbeat extends Fact {
  process: string;
  replica: string;
  version: string;
  state: string;
  started_at: string;
  queue_depth?: number;
  last_error?: string;
  last_error_at?: string;
  memory_mib?: number;
  counters?: Record<string, number>;
}

export interface Snapshot {
  seq: number;
  server_time: string;
  facts: Record<string, Fact[]>;
  config: Record<string, Configuration>;
  processes: Heartbeat[];
  symbols: string[];
  timeframe: string;
  mode: "paper" | "live";
  simulated: boolean;
  version?: string;
  ready?: boolean;
  bus?: { reachable: boolean; since: string; detail: string } | null;
}

export interface Boot {
  csrf_token: string;
  theme: "auto" | "light" | "dark";
  page: string;
  user: string | null;
  login_required: boolean;
  scopes: string[];
  navigation: { name: string; title: string; href: string; key: string }[];
}
