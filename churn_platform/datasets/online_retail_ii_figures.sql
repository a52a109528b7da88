-- grain: one row; figures that do not depend on the order of the lines
SELECT
  count(*) AS lines,
  CAST(sum("Quantity") AS BIGINT) AS quantity,
  CAST(sum(CAST(round("Price" * 1000) AS BIGINT)) AS BIGINT) AS price_thousandths,
  count(DISTINCT "Invoice") AS invoices,
  count(DISTINCT "StockCode") AS stock_codes,
  count(DISTINCT "Customer ID") AS customers,
  count(DISTINCT "Country") AS countries,
  count(*) - count("Customer ID") AS lines_without_customer,
  min("InvoiceDate") AS first_line_at,
  max("InvoiceDate") AS last_line_at
FROM read_parquet($parquet)
