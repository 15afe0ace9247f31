package telemetry

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tykctl/tykctl/internal/gateway"
)

// Metrics are the gateway's own, beside Go's and the process's.
type Metrics struct {
	registry     *prometheus.Registry
	requests     *prometheus.CounterVec
	total        prometheus.Histogram
	upstream     prometheus.Histogram
	overhead     prometheus.Histogram
	redis        *prometheus.HistogramVec
	redisErrors  *prometheus.CounterVec
	redisUp      prometheus.Gauge
	breakerOpen  prometheus.Gauge
	localMode    prometheus.Gauge
	batch        prometheus.Histogram
	localDenials prometheus.Counter
	inFlight     prometheus.Gauge
}

// fine resolves what the gateway and Redis cost; coarse what backends take.
var (
	fine   = []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5}
	coarse = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
)

// NewMetrics makes and registers every metric. version is the program's.
func NewMetrics(version, goVersion string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tykctl_requests_total",
			Help: "Requests answered, by status code and reason.",
		}, []string{"code", "reason"}),
		total:    histogram("tykctl_request_duration_seconds", "From the request's header to the end of the answer.", coarse),
		upstream: histogram("tykctl_upstream_duration_seconds", "Of that, the backend's part: from sending on to the end of its answer.", coarse),
		overhead: histogram("tykctl_overhead_seconds", "Of that, what was neither the backend nor Redis.", fine),
		redis: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tykctl_redis_duration_seconds",
			Help: "One exchange with Redis, by what it was for.", Buckets: fine,
		}, []string{"op"}),
		redisErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tykctl_redis_errors_total",
			Help: "Exchanges with Redis that failed, by what they were for and how.",
		}, []string{"op", "kind"}),
		redisUp: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tykctl_redis_up", Help: "1 while Redis answers.",
		}),
		breakerOpen: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tykctl_redis_breaker_open", Help: "1 while requests do not wait for Redis, or for at least one node of a Cluster, because it has not answered.",
		}),
		localMode: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tykctl_redis_local_mode", Help: "1 while requests are served without Redis.",
		}),
		batch: histogram("tykctl_limiter_batch_size", "Requests that shared one exchange with the limiter's store.",
			[]float64{1, 2, 4, 8, 16, 32, 64, 128, 256}),
		localDenials: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tykctl_limiter_local_denials_total",
			Help: "Requests refused from local knowledge that a limit is spent.",
		}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tykctl_in_flight_requests", Help: "Requests being served now.",
		}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "tykctl_build_info", Help: "Always 1; the labels say what is running.",
		ConstLabels: prometheus.Labels{"version": version, "go_version": goVersion},
	})
	build.Set(1)
	m.registry.MustRegister(
		m.requests, m.total, m.upstream, m.overhead, m.redis, m.redisErrors, m.redisUp, m.breakerOpen, m.localMode,
		m.batch, m.localDenials, m.inFlight, build,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

func histogram(name, help string, buckets []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// InFlight counts the requests that are inside next.
func (m *Metrics) InFlight(next http.Handler) http.Handler {
	return promhttp.InstrumentHandlerInFlight(m.inFlight, next)
}

// Request counts a request that was answered.
func (m *Metrics) Request(x gateway.Exchange) {
	m.requests.WithLabelValues(strconv.Itoa(x.Status), string(x.Reason)).Inc()
	m.total.Observe(x.Total.Seconds())
	m.overhead.Observe(x.Overhead().Seconds())
	if x.Upstream > 0 {
		m.upstream.Observe(x.Upstream.Seconds())
	}
}

// Redis counts one exchange with Redis; kind is "" when it went well.
func (m *Metrics) Redis(op string, took time.Duration, kind string) {
	m.redis.WithLabelValues(op).Observe(took.Seconds())
	if kind != "" {
		m.redisErrors.WithLabelValues(op, kind).Inc()
	}
}

// Shared counts the requests that shared one exchange with the limiter.
func (m *Metrics) Shared(requests int) { m.batch.Observe(float64(requests)) }

// Denied counts a request refused from local knowledge.
func (m *Metrics) Denied() { m.localDenials.Inc() }

// Tripped notes whether requests wait for Redis.
func (m *Metrics) Tripped(open bool) { m.breakerOpen.Set(number(open)) }

// Alone notes whether requests are served without Redis.
func (m *Metrics) Alone(on bool) { m.localMode.Set(number(on)) }

// RedisUp notes whether Redis answered when it was last looked at.
func (m *Metrics) RedisUp(up bool) { m.redisUp.Set(number(up)) }

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
