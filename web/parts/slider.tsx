/** A slider that rests at natural stops, with its value as a field for what lies between. */
import type { JSX } from "preact";
import { useId } from "preact/hooks";

import type { SettingsJson } from "../../src/server/api-schema.ts";
import { formatCount, formatDuration, formatSetting, parseDuration } from "../words/figures.ts";
import { nearestStop, tickWords } from "../words/stops.ts";

interface SliderProps {
  label: string;
  row: SettingsJson["settings"][number];
  value: number;
  stops: readonly number[];
  onChange: (value: number) => void;
}

export function Slider({ label, row, value, stops, onChange }: SliderProps): JSX.Element {
  const id = useId();
  const index = nearestStop(stops, value);
  const inForce = nearestStop(stops, row.value);
  const share = (at: number): string => String(stops.length < 2 ? 0 : at / (stops.length - 1));
  const words = formatSetting(value, row.unit);
  const isChanged = value !== row.value;
  return (
    <div class={isChanged ? "slider changed" : "slider"}>
      <div class="slider-head">
        <label for={id}>{label}</label>
        <ExactValue label={label} row={row} value={value} onChange={onChange} />
      </div>
      <div class="slider-track" style={{ "--in-force": share(inForce), "--at": share(index) }}>
        <input
          id={id}
          type="range"
          min={0}
          max={stops.length - 1}
          step={1}
          value={index}
          aria-valuetext={isChanged ? `${words}, in force ${formatSetting(row.value, row.unit)}` : words}
          onInput={(event) => onChange(stops[Number(event.currentTarget.value)] ?? value)}
        />
        <div class="ticks" aria-hidden="true">
          {tickWords(stops, row.unit).map((tick, at) =>
            tick === "" ? null : (
              <span key={stops[at]} style={{ "--at": share(at) }}>
                {tick}
              </span>
            ),
          )}
        </div>
      </div>
      <p class="slider-note">
        {isChanged ? `in force ${formatSetting(row.value, row.unit)}` : "as in force"}
        {row.defaultValue !== undefined && `, default ${formatSetting(row.defaultValue, row.unit)}`}
      </p>
    </div>
  );
}

function ExactValue({ label, row, value, onChange }: Omit<SliderProps, "stops">): JSX.Element {
  const isTime = row.unit === "seconds";
  const read = (text: string): number | undefined => {
    if (isTime) return parseDuration(text);
    const plain = text.replaceAll(/[\s,]/g, "");
    return /^\d+$/.test(plain) ? Number(plain) : undefined;
  };
  return (
    <input
      class="exact"
      aria-label={`${label}, exactly`}
      value={isTime ? formatDuration(value) : formatCount(value)}
      spellcheck={false}
      autocomplete="off"
      onChange={(event) => {
        const next = read(event.currentTarget.value);
        if (next === undefined || next < row.min || next > row.max || next === 0)
          event.currentTarget.value = formatSetting(value, row.unit);
        else onChange(next);
      }}
    />
  );
}
