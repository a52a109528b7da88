-- grain: one invoice line; every cell arrives as text, because the publisher stores `Invoice` and `StockCode` partly as
-- numbers and partly as text; a date is the number of days since 1899-12-30 (ECMA-376 part 1, 18.17.4.1)
WITH lines AS MATERIALIZED (
  SELECT 1 AS sheet, * FROM read_xlsx($workbook, sheet = $first_sheet, header = true, all_varchar = true)
  UNION ALL
  SELECT 2 AS sheet, * FROM read_xlsx($workbook, sheet = $second_sheet, header = true, all_varchar = true)
),
typed AS (
  SELECT
    sheet,
    "Invoice",
    "StockCode",
    nullif("Description", '') AS "Description",
    CAST("Quantity" AS INTEGER) AS "Quantity",
    TIMESTAMP '1899-12-30' + to_seconds(round(CAST("InvoiceDate" AS DOUBLE) * 86400)) AS "InvoiceDate",
    CAST("Price" AS DOUBLE) AS "Price",
    CAST(nullif("Customer ID", '') AS INTEGER) AS "Customer ID",
    "Country"
  FROM lines
),
second_sheet AS (
  SELECT CAST(min("InvoiceDate") AS DATE) AS first_day FROM typed WHERE sheet = 2
)
-- the first sheet ends with the days that the second one begins with
SELECT typed.* EXCLUDE (sheet)
FROM typed CROSS JOIN second_sheet
WHERE sheet = 2 OR "InvoiceDate" < first_day
