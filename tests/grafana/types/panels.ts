// What a dashboard file may say, in the types that Grafana publishes: the dashboard's own, and
// the options of each kind of panel that is used here. The test writes the file beside an import
// of `DashboardFile`, as a literal, so that the compiler refuses each unknown name, wrong type
// and missing field, in options too (the dashboard's own type takes anything there).

import type {
  Dashboard,
  DataSourceRef,
  FieldConfig,
  FieldConfigSource,
  GraphFieldConfig,
  Panel,
  RowPanel,
} from '@grafana/schema';
import type { Options as StatOptions } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type {
  FieldConfig as StateTimelineFieldConfig,
  Options as StateTimelineOptions,
} from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type {
  FieldConfig as TableFieldConfig,
  Options as TableOptions,
} from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type { Options as TimeSeriesOptions } from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

// A JSON file spells the members of an enumeration by their values.
type Spelled<T> = T extends string
  ? `${T}`
  : T extends number
    ? `${T}` extends `${infer N extends number}`
      ? N
      : T
    : T extends (infer Item)[]
      ? Spelled<Item>[]
      : T extends object
        ? { [Key in keyof T]: Spelled<T[Key]> }
        : T;

// The query of the Prometheus data source, which publishes no types; its documentation names these.
interface Query {
  datasource: DataSourceRef;
  editorMode: 'builder' | 'code';
  expr: string;
  format: 'heatmap' | 'table' | 'time_series';
  instant: boolean;
  interval?: string;
  legendFormat: string;
  range: boolean;
  refId: string;
}

type PanelOf<Type extends string, Options, Custom> = Omit<
  Panel,
  'fieldConfig' | 'options' | 'targets' | 'type'
> & {
  type: Type;
  options: Options;
  // Whatever holds for a field may be left out, and so may whatever a panel has a default for.
  fieldConfig: Omit<FieldConfigSource, 'defaults'> & {
    defaults: Omit<FieldConfig, 'custom'> & { custom?: Partial<Custom> };
  };
  targets: Query[];
};

type AnyPanel =
  | PanelOf<'stat', StatOptions, Record<string, never>>
  | PanelOf<'state-timeline', StateTimelineOptions, StateTimelineFieldConfig>
  | PanelOf<'table', Omit<TableOptions, 'frameIndex'>, TableFieldConfig>
  | PanelOf<'timeseries', TimeSeriesOptions, GraphFieldConfig>;

type Row = Omit<RowPanel, 'panels'> & { panels: AnyPanel[] };

export type DashboardFile = Spelled<
  Omit<Dashboard, 'panels' | 'id'> & { panels: (AnyPanel | Row)[] }
>;
