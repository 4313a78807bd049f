// What echarts.min.js is made of. Once, in an empty folder:
//   npm install echarts@6.1.0 esbuild && npx esbuild echarts.entry.js --bundle --minify --format=iife
//     --legal-comments=none --outfile=echarts.min.js
import * as core from 'echarts/core';
import { LineChart, BarChart, HeatmapChart, CustomChart } from 'echarts/charts';
import { GridComponent, TooltipComponent, VisualMapComponent, MarkLineComponent, MarkAreaComponent, AriaComponent, BrushComponent, ToolboxComponent } from 'echarts/components';
import { LabelLayout } from 'echarts/features';
import { CanvasRenderer } from 'echarts/renderers';
core.use([LineChart, BarChart, HeatmapChart, CustomChart, GridComponent, TooltipComponent, VisualMapComponent, MarkLineComponent, MarkAreaComponent, AriaComponent, BrushComponent, ToolboxComponent, LabelLayout, CanvasRenderer]);
window.echarts = core;
