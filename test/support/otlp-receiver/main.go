// The collector's own OTLP receiver. Prints its port, and then each data point that it takes as a line of JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

type point struct {
	Resource   map[string]any `json:"resource"`
	Scope      string         `json:"scope"`
	Name       string         `json:"name"`
	Unit       string         `json:"unit"`
	Kind       string         `json:"kind"`
	IsDelta    bool           `json:"isDelta"`
	Attributes map[string]any `json:"attributes"`
	StartMs    int64          `json:"startMs"`
	TimeMs     int64          `json:"timeMs"`
	Value      float64        `json:"value"`
	Count      uint64         `json:"count"`
	Min        float64        `json:"min"`
	Max        float64        `json:"max"`
}

func main() {
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig()
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	address := probe.Addr().String()
	check(probe.Close())
	http := map[string]any{"endpoint": address}
	protocols := map[string]any{"http": http}
	check(confmap.NewFromStringMap(map[string]any{"protocols": protocols}).Unmarshal(config))
	out := json.NewEncoder(os.Stdout)
	take := func(_ context.Context, metrics pmetric.Metrics) error {
		each(metrics, func(one point) { check(out.Encode(one)) })
		return nil
	}
	next, err := consumer.NewMetrics(take)
	check(err)
	settings := receivertest.NewNopSettings(factory.Type())
	receiver, err := factory.CreateMetrics(context.Background(), settings, config, next)
	check(err)
	check(receiver.Start(context.Background(), componenttest.NewNopHost()))
	fmt.Printf("listening http://%s\n", address)
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	<-end
	check(receiver.Shutdown(context.Background()))
}

func each(metrics pmetric.Metrics, tell func(point)) {
	for _, resource := range metrics.ResourceMetrics().All() {
		for _, scoped := range resource.ScopeMetrics().All() {
			for _, metric := range scoped.Metrics().All() {
				ofMetric := point{
					Resource: resource.Resource().Attributes().AsRaw(),
					Scope:    scoped.Scope().Name(),
					Name:     metric.Name(),
					Unit:     metric.Unit(),
					Kind:     metric.Type().String(),
				}
				points(ofMetric, metric, tell)
			}
		}
	}
}

func points(base point, metric pmetric.Metric, tell func(point)) {
	switch metric.Type() {
	case pmetric.MetricTypeGauge:
		numbers(base, metric.Gauge().DataPoints(), tell)
	case pmetric.MetricTypeSum:
		base.IsDelta = metric.Sum().AggregationTemporality() == pmetric.AggregationTemporalityDelta
		numbers(base, metric.Sum().DataPoints(), tell)
	case pmetric.MetricTypeExponentialHistogram:
		histogram := metric.ExponentialHistogram()
		base.IsDelta = histogram.AggregationTemporality() == pmetric.AggregationTemporalityDelta
		for _, one := range histogram.DataPoints().All() {
			p := base
			p.Attributes = one.Attributes().AsRaw()
			p.StartMs, p.TimeMs = ms(one.StartTimestamp()), ms(one.Timestamp())
			p.Value, p.Count, p.Min, p.Max = one.Sum(), one.Count(), one.Min(), one.Max()
			tell(p)
		}
	}
}

func numbers(base point, all pmetric.NumberDataPointSlice, tell func(point)) {
	for _, one := range all.All() {
		p := base
		p.Attributes = one.Attributes().AsRaw()
		p.StartMs, p.TimeMs = ms(one.StartTimestamp()), ms(one.Timestamp())
		p.Value = one.DoubleValue()
		tell(p)
	}
}

func ms(at pcommon.Timestamp) int64 {
	return int64(at) / 1_000_000
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
