-- Order lines in the UCI shape to one row per customer and an audit, as fast as DuckDB was found to do it.
-- raw_sql.py runs these statements in order and puts in: {source}, a quoted path; {services}, quoted product codes.
-- Money is a whole number of ten-thousandths (BIGINT): exact, and cheaper than DECIMAL.
-- Reasons: 0 no customer, 1 no date, 2 no amount, 3 zero quantity, 4 no price, 5 not a product, 98 return,
-- 99 purchase taken back, 100 kept.

-- stage: services
CREATE VIEW lines AS
SELECT "CustomerID"::BIGINT AS c, "InvoiceNo" AS o, coalesce("StockCode", '') AS p, "Quantity" AS q, "InvoiceDate" AS d,
       round("UnitPrice" * 10000)::BIGINT AS pr, "Quantity" * round("UnitPrice" * 10000)::BIGINT AS a,
       CASE WHEN "CustomerID" IS NULL THEN 0 WHEN "InvoiceDate" IS NULL THEN 1 WHEN "Quantity" * "UnitPrice" IS NULL THEN 2
            WHEN "Quantity" = 0 THEN 3 WHEN "UnitPrice" <= 0 THEN 4 WHEN "StockCode" IN ({services}) THEN 5
            ELSE 100 END::TINYINT AS r,
       "Description" AS de, "Country" AS co
FROM {source};

-- stage: orders
-- One row per order and reason. A line that is there twice sets a bit twice: where each of three masks has fewer bits
-- than the order has lines, the order may have duplicates.
CREATE TABLE orders AS
SELECT o, r, min(c) AS c, count(*)::INT AS n, coalesce(sum(a), 0)::BIGINT AS a, max(d) AS l, min(d) AS f,
       min(c) < max(c) AS mixed,
       bit_count(bit_or(1::UBIGINT << (hash(p, q, pr) & 63))) < count(*)
       AND bit_count(bit_or(1::UBIGINT << ((hash(p, q, pr) >> 6) & 63))) < count(*)
       AND bit_count(bit_or(1::UBIGINT << ((hash(p, q, pr) >> 12) & 63))) < count(*) AS suspect
FROM lines GROUP BY o, r;

-- Order numbers that several customers share: one row per customer instead.
CREATE TABLE shared AS SELECT DISTINCT o FROM orders WHERE mixed;
CREATE TABLE again AS
SELECT o, r, c, count(*)::INT AS n, coalesce(sum(a), 0)::BIGINT AS a, max(d) AS l, min(d) AS f, true AS mixed, true AS suspect
FROM lines SEMI JOIN shared ON lines.o IS NOT DISTINCT FROM shared.o GROUP BY o, r, c;
DELETE FROM orders WHERE o IN (FROM shared);
INSERT INTO orders SELECT o, r, c, n, a, l, f, mixed, suspect FROM again;

-- stage: duplicates
-- First by a hash of the whole line, then, in the few orders that are left, by all columns.
CREATE TABLE twice AS
SELECT o FROM (SELECT o, list(h) AS l FROM (
    SELECT o, hash(c, p, q, pr, d, de, co) AS h
    FROM lines SEMI JOIN (SELECT DISTINCT o FROM orders WHERE suspect) USING (o)) GROUP BY o)
WHERE len(list_distinct(l)) < len(l);
CREATE TABLE copies AS
SELECT c, o, p, q, d, pr, a, r, count(*) - 1 AS copies
FROM lines SEMI JOIN twice USING (o) GROUP BY c, o, p, q, d, pr, a, r, de, co HAVING count(*) > 1;

-- stage: netting
CREATE TABLE pairs AS SELECT DISTINCT c, p FROM lines WHERE q < 0 AND r = 100;
CREATE TABLE touched_raw AS SELECT c, o, p, q, d, pr, a FROM lines SEMI JOIN pairs USING (c, p) WHERE r = 100;
CREATE TABLE touched_copies AS
SELECT c, o, p, q, d, pr, sum(copies)::BIGINT AS copies FROM copies SEMI JOIN pairs USING (c, p) WHERE r = 100 GROUP BY ALL;
CREATE TABLE touched AS
SELECT * FROM touched_raw ANTI JOIN touched_copies USING (c, o, p, q, d, pr)
UNION ALL
SELECT c, o, p, q, d, pr, a FROM (
    SELECT c, o, p, q, d, pr, a, unnest(range(count(*) - any_value(copies)))
    FROM touched_raw JOIN touched_copies USING (c, o, p, q, d, pr) GROUP BY c, o, p, q, d, pr, a);

-- Most pairs are one purchase and one return, or less: no window is needed for them.
CREATE TABLE plain AS
SELECT c, p, coalesce(max(q) FILTER (q > 0), 0) AS bought, coalesce(min(q) FILTER (q < 0), 0) AS back,
       coalesce(max(d) FILTER (q > 0) <= max(d) FILTER (q < 0), false) AS meet
FROM touched GROUP BY c, p HAVING count(*) FILTER (q > 0) < 2 AND count(*) FILTER (q < 0) < 2;

-- Last in, first out: the stock is the running sum, held at zero where a return finds nothing; a purchase keeps the lowest
-- stock from there on less the stock before it, a return undoes what the stock falls by. First at the same price, then at any.
CREATE MACRO kept(q, lowest, stock, before) AS
    CASE WHEN q > 0 THEN greatest(0, lowest - before) ELSE q + before - stock END;
CREATE TABLE netted AS
WITH first_sum AS (
    SELECT *, sum(q) OVER w AS run FROM touched ANTI JOIN plain USING (c, p)
    WINDOW w AS (PARTITION BY c, p, pr ORDER BY d, q < 0, o, abs(q), a ROWS UNBOUNDED PRECEDING)
), first_stock AS (
    SELECT *, run - least(0, min(run) OVER w) AS stock FROM first_sum
    WINDOW w AS (PARTITION BY c, p, pr ORDER BY d, q < 0, o, abs(q), a ROWS UNBOUNDED PRECEDING)
), first_pass AS (
    SELECT c, o, p, q, d, pr, a,
           kept(q, min(stock) OVER (w ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING), stock, coalesce(lag(stock) OVER w, 0))
             AS left_1
    FROM first_stock WINDOW w AS (PARTITION BY c, p, pr ORDER BY d, q < 0, o, abs(q), a)
), second_sum AS (
    SELECT *, sum(left_1) OVER w AS run FROM first_pass
    WINDOW w AS (PARTITION BY c, p ORDER BY d, left_1 < 0, o, abs(left_1), pr, a ROWS UNBOUNDED PRECEDING)
), second_stock AS (
    SELECT *, run - least(0, min(run) OVER w) AS stock FROM second_sum
    WINDOW w AS (PARTITION BY c, p ORDER BY d, left_1 < 0, o, abs(left_1), pr, a ROWS UNBOUNDED PRECEDING)
)
SELECT c, o, d, q, pr, a,
       kept(left_1, min(stock) OVER (w ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING), stock, coalesce(lag(stock) OVER w, 0))
         ::BIGINT AS left_2
FROM second_stock WINDOW w AS (PARTITION BY c, p ORDER BY d, left_1 < 0, o, abs(left_1), pr, a)
UNION ALL
SELECT c, o, d, q, pr, a,
       CASE WHEN NOT meet THEN q WHEN q > 0 THEN greatest(0, bought + back) ELSE least(0, bought + back) END AS left_2
FROM touched JOIN plain USING (c, p);

-- stage: customers
-- What netting and duplicates change in an order: lines that went, money that went, and the last reason of touched lines.
CREATE TABLE changes AS
SELECT c, o, sum(lines)::INT AS lines, sum(less)::BIGINT AS less, max(last) AS last, max(day) AS day FROM (
    SELECT c, o, 1 AS lines, a - CASE WHEN q > 0 THEN left_2 * pr ELSE 0 END AS less,
           CASE WHEN q < 0 THEN 98 WHEN left_2 = 0 THEN 99 ELSE 100 END AS last,
           CASE WHEN q > 0 AND left_2 > 0 THEN d END AS day
    FROM netted
    UNION ALL SELECT c, o, copies AS lines, copies * a AS less, NULL, NULL FROM copies WHERE r = 100
) GROUP BY c, o;
CREATE TABLE ended AS
SELECT orders.c, orders.o, n, orders.a, l, f, lines, less, CASE WHEN n > lines THEN 100 ELSE last END AS last,
       day, f::DATE < l::DATE AS days
FROM orders JOIN changes ON orders.o = changes.o AND orders.c = changes.c WHERE r = 100;
-- Orders that span several days: when was the last line that netting did not touch?
CREATE TABLE late AS
SELECT c, o, max(d) AS d
FROM (SELECT c, o, d, p FROM lines SEMI JOIN (SELECT c, o FROM ended WHERE days AND n > lines) AS e
      ON lines.o = e.o AND lines.c = e.c WHERE r = 100) AS s
ANTI JOIN pairs USING (c, p)
GROUP BY c, o;
CREATE TABLE moved AS
SELECT ended.c, ended.o, last, CASE WHEN last = 100 THEN greatest(late.d, day, CASE WHEN NOT days THEN l END) END AS l
FROM ended LEFT JOIN late ON ended.o = late.o AND ended.c = late.c WHERE last < 100 OR days;
CREATE TABLE people AS
SELECT c, sum(one)::BIGINT AS frequency, sum(a)::BIGINT AS a, max(l)::DATE AS l FROM (
    SELECT orders.c, 1 AS one, orders.a, orders.l
    FROM orders ANTI JOIN moved ON orders.o = moved.o AND orders.c = moved.c WHERE r = 100
    UNION ALL SELECT ended.c, CASE WHEN moved.last = 100 THEN 1 ELSE 0 END, ended.a, moved.l
    FROM ended JOIN moved ON ended.o = moved.o AND ended.c = moved.c
    UNION ALL SELECT c, 0, -less, NULL FROM ended
) GROUP BY c HAVING sum(one) > 0;
COPY (
    SELECT c AS customer_id, (SELECT max(l)::DATE + 1 FROM orders) - l AS recency_days, frequency,
           (a / 10000::DECIMAL(18, 4))::DECIMAL(18, 4) AS monetary
    FROM people
) TO {target} (FORMAT PARQUET);

-- stage: audit
-- The last reason of the orders and customers of which nothing is kept.
CREATE TABLE small AS
SELECT c, o, r::INT AS last FROM orders WHERE r < 100 UNION ALL SELECT c, o, last FROM moved WHERE last < 100;
CREATE TABLE lost_orders AS
WITH low AS (SELECT o, max(last) AS last FROM small GROUP BY o),
     living AS (SELECT o FROM (SELECT o, c FROM orders SEMI JOIN low USING (o) WHERE r = 100) AS s
                ANTI JOIN (SELECT o, c FROM moved WHERE last < 100) AS m ON s.o = m.o AND s.c = m.c)
SELECT last, count(*) AS orders FROM low ANTI JOIN living USING (o) GROUP BY last;
CREATE TABLE lost_customers AS
SELECT last, count(*) AS customers
FROM (SELECT c, max(last) AS last FROM small WHERE c IS NOT NULL GROUP BY c) ANTI JOIN people USING (c) GROUP BY last;
CREATE TABLE taken AS
SELECT r::INT AS reason, sum(n) AS rows, sum(a) AS a FROM orders GROUP BY r
UNION ALL SELECT r, -sum(copies), -sum(copies * a) FROM copies GROUP BY r
UNION ALL SELECT -1, sum(copies), sum(copies * a) FROM copies
UNION ALL SELECT 98, count(*), sum(a) FROM netted WHERE q < 0
UNION ALL SELECT 99, count(*) FILTER (left_2 = 0), sum(a - left_2 * pr) FROM netted WHERE q > 0
UNION ALL SELECT 100, -count(*) FILTER (q < 0 OR left_2 = 0), -sum(a - CASE WHEN q > 0 THEN left_2 * pr ELSE 0 END) FROM netted;
CREATE TABLE audit AS
WITH reasons(reason, rule) AS (
    VALUES (-1, 'duplicate'), (0, 'no customer'), (1, 'no date'), (2, 'no amount'), (3, 'zero quantity'), (4, 'no price'),
           (5, 'not a product'), (98, 'return'), (99, 'returned purchase'), (100, 'kept')
), per_reason AS (
    SELECT reason, rule, coalesce(sum(rows), 0)::BIGINT AS rows, coalesce(sum(a), 0)::BIGINT AS a
    FROM reasons LEFT JOIN taken USING (reason) GROUP BY reason, rule
), kept AS (
    SELECT (SELECT count(*) FILTER (NOT mixed) + count(DISTINCT CASE WHEN mixed THEN o END)
            FROM (SELECT o, c, mixed FROM orders WHERE r = 100) AS s
            ANTI JOIN (SELECT o, c FROM moved WHERE last < 100) AS m ON s.o = m.o AND s.c = m.c) AS orders,
           (SELECT count(*) FROM people) AS customers
)
SELECT reason, rule, rows, a AS amount, kept.orders + coalesce((SELECT sum(orders) FROM lost_orders WHERE last > reason), 0) AS orders_left,
       kept.customers + coalesce((SELECT sum(customers) FROM lost_customers WHERE last > reason), 0) AS customers_left
FROM per_reason, kept;
