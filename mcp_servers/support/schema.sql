-- The order desk's database. Money is in integer cents of the order's currency, days are YYYY-MM-DD.
CREATE TABLE currencies (
  code TEXT PRIMARY KEY,
  per_mille INTEGER NOT NULL              -- price of one euro, in thousandths of this currency
);
CREATE TABLE customers (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  email TEXT NOT NULL UNIQUE COLLATE NOCASE
);
CREATE TABLE products (
  sku TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  cents INTEGER NOT NULL CHECK (cents > 0)  -- price in euro cents
);
CREATE TABLE stock (
  sku TEXT NOT NULL REFERENCES products (sku),
  warehouse TEXT NOT NULL CHECK (warehouse IN ('berlin', 'lyon', 'porto')),
  pieces INTEGER NOT NULL CHECK (pieces >= 0),
  PRIMARY KEY (sku, warehouse)
);
CREATE TABLE orders (
  id TEXT PRIMARY KEY,
  customer_id INTEGER NOT NULL REFERENCES customers (id),
  status TEXT NOT NULL CHECK (status IN ('processing', 'shipped', 'delivered', 'cancelled', 'returned')),
  ordered_on TEXT NOT NULL,
  currency TEXT NOT NULL REFERENCES currencies (code),
  paid INTEGER NOT NULL CHECK (paid >= 0),
  street TEXT NOT NULL,
  city TEXT NOT NULL,
  postal_code TEXT NOT NULL,
  country TEXT NOT NULL,
  cancel_reason TEXT,
  gift_message TEXT                       -- NULL: not wrapped; '': wrapped without a card
);
CREATE INDEX orders_of_customer ON orders (customer_id, ordered_on);
CREATE TABLE items (
  order_id TEXT NOT NULL REFERENCES orders (id),
  sku TEXT NOT NULL REFERENCES products (sku),
  quantity INTEGER NOT NULL CHECK (quantity > 0),
  unit_price INTEGER NOT NULL CHECK (unit_price > 0),
  PRIMARY KEY (order_id, sku)
);
CREATE TABLE shipments (
  tracking_number TEXT PRIMARY KEY,
  order_id TEXT NOT NULL REFERENCES orders (id),
  carrier TEXT NOT NULL,
  expected_on TEXT NOT NULL
);
CREATE INDEX shipments_of_order ON shipments (order_id);
CREATE TABLE events (
  tracking_number TEXT NOT NULL REFERENCES shipments (tracking_number),
  at TEXT NOT NULL,                       -- UTC, ISO 8601
  place TEXT NOT NULL,
  what TEXT NOT NULL,
  PRIMARY KEY (tracking_number, at)
);
CREATE TABLE refunds (
  id INTEGER PRIMARY KEY,
  order_id TEXT NOT NULL REFERENCES orders (id),
  cents INTEGER NOT NULL CHECK (cents > 0),
  reason TEXT NOT NULL
);
CREATE INDEX refunds_of_order ON refunds (order_id);
CREATE TABLE pickups (
  id INTEGER PRIMARY KEY,
  order_id TEXT NOT NULL REFERENCES orders (id),
  day TEXT NOT NULL,
  part TEXT NOT NULL,
  UNIQUE (order_id, day, part)
);
CREATE TABLE exchanges (
  id INTEGER PRIMARY KEY,
  order_id TEXT NOT NULL REFERENCES orders (id),
  item_sku TEXT NOT NULL REFERENCES products (sku),
  new_sku TEXT NOT NULL REFERENCES products (sku),
  warehouse TEXT NOT NULL
);
CREATE TABLE escalations (
  id INTEGER PRIMARY KEY,
  reason TEXT NOT NULL,
  priority TEXT NOT NULL CHECK (priority IN ('low', 'normal', 'high', 'urgent'))
);
CREATE VIRTUAL TABLE articles USING fts5 (title, body, topic UNINDEXED, tokenize = 'porter unicode61 remove_diacritics 2');
PRAGMA user_version = 1;
