-- a date cell as text in the source's time format: Excel stores days since the end of 1899 (1904 in old Mac workbooks), of
-- which whole milliseconds are meant; a cell that holds text instead stays as it is
CREATE OR REPLACE TEMP MACRO excel_time(cell) AS coalesce(
  strftime(
    TRY(getvariable('excel_epoch') + to_milliseconds(CAST(round(TRY_CAST(cell AS DOUBLE) * 86400000) AS BIGINT))),
    getvariable('date_cell_format')
  ),
  cell
)
