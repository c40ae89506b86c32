#!/bin/sh
# Makes the JSON Schemas of this folder from Grafana's published TypeScript types (npm: @grafana/schema).
#
#   sh tests/data/grafana/make.sh        needs npm; writes grafana-VERSION.schema.json.gz, the same bytes at every run
#
# What each holds: the dashboard kind (`Raw`: what a Classic JSON file is), and
# for every panel type that the boards use its `options` and the `custom` part of its field configuration.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for version in 11.0.7 11.6.16 12.4.11 13.2.3; do
  mkdir "$work/$version"
  cd "$work/$version"
  npm init -y >/dev/null
  npm install --silent --no-audit --no-fund --ignore-scripts --legacy-peer-deps \
    "@grafana/schema@$version" typescript@5.9.3 ts-json-schema-generator@2.4.0 >/dev/null
  dist=node_modules/@grafana/schema/dist
  if [ -d "$dist/types" ]; then types=$dist/types; else types=$dist/esm; fi
  options() { # PANEL, its folder
    file=$(find "$types/raw/composable/$2/panelcfg" -name '*types.gen.d.ts' | head -1)
    printf 'import * as %s from "./%s";\n' "$1" "${file%.d.ts}"
    printf 'export type %sOptions = %s.Options;\n' "$1" "$1"
    if grep -q 'FieldConfig' "$file"; then printf 'export type %sCustom = %s.FieldConfig;\n' "$1" "$1"; fi
  }
  raw=$(find "$types/raw/dashboard" -name '*types.gen.d.ts' | head -1)
  {
    printf 'import * as raw from "./%s";\n' "${raw%.d.ts}"
    printf 'export type Raw = raw.Dashboard;\n'
    options Stat stat
    options Table table
    options Text text
    options TimeSeries timeseries
    options StateTimeline statetimeline
    options BarGauge bargauge
    options AnnotationsList annotationslist
  } > boards.ts
  # The types name their own package; some releases export no types at that name to a bundler-less compiler.
  cat > tsconfig.json <<TS
{"compilerOptions": {"module": "esnext", "moduleResolution": "bundler", "strict": true, "skipLibCheck": true, "target": "es2022",
 "paths": {"@grafana/schema": ["./$types/index.d.ts"]}}, "files": ["boards.ts"]}
TS
  # One by one: different files have types of the same name.
  mkdir schemas
  for type in $(sed -n 's/^export type \([A-Za-z]*\) .*/\1/p' boards.ts); do
    npx ts-json-schema-generator --path boards.ts --tsconfig tsconfig.json --type "$type" --no-type-check --expose none --minify \
      --out "schemas/$type.json"
  done
  node -e 'const {readdirSync, readFileSync} = require("fs");
    const one = name => [name.slice(0, -5), JSON.parse(readFileSync("schemas/" + name))];
    process.stdout.write(JSON.stringify(Object.fromEntries(readdirSync("schemas").sort().map(one))))' > schema.json
  gzip -9nc schema.json > "$here/grafana-$version.schema.json.gz"
done
