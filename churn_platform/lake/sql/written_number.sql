-- a number as people write it: signs, currency, thousands separators and the decimal mark of the source. A text that is
-- plainly a number costs one cast: the optimiser would hoist the patterns out of a bare coalesce and try them on every text,
-- out of a CASE it does not
CREATE OR REPLACE TEMP MACRO tidied(given) AS
  trim(translate(given, getvariable('blanks') || '−’', repeat(' ', length(getvariable('blanks'))) || '-'''));
CREATE OR REPLACE TEMP MACRO without_currency(given) AS CASE
  WHEN regexp_matches(given, '[^-0-9+().,'' ]') THEN regexp_replace(given, getvariable('currency_form'), '\1\2')
  ELSE given
END;
CREATE OR REPLACE TEMP MACRO digits_of(given) AS CASE
  WHEN regexp_full_match(given, getvariable('number_form'))
    THEN
      CASE WHEN contains(given, '-') OR contains(given, '(') THEN '-' ELSE '' END
      || replace(
        regexp_replace(given, '[^0-9' || getvariable('decimal') || ']', '', 'g'),
        getvariable('decimal'),
        '.'
      )
END;
CREATE OR REPLACE TEMP MACRO written_number(given) AS CASE
  WHEN given <> '' THEN list_transform([without_currency(tidied(given))], lambda bare: digits_of(bare))[1]
END;
CREATE OR REPLACE TEMP MACRO plain_number(given) AS CASE
  WHEN getvariable('plain_point') THEN given
  WHEN NOT contains(given, '.') THEN replace(given, ',', '.')
END;
CREATE OR REPLACE TEMP MACRO as_decimal(given) AS coalesce(
  TRY_CAST(plain_number(given) AS DECIMAL(18, 4)),
  TRY_CAST(written_number(given) AS DECIMAL(18, 4))
);
-- an operand that is a number already is none of the source's texts, whatever their decimal mark
CREATE OR REPLACE TEMP MACRO as_double(given) AS CASE
  WHEN typeof(given) <> 'VARCHAR' THEN TRY_CAST(given AS DOUBLE)
  ELSE
    coalesce(
      TRY_CAST(plain_number(CAST(given AS VARCHAR)) AS DOUBLE),
      TRY_CAST(written_number(CAST(given AS VARCHAR)) AS DOUBLE)
    )
END
