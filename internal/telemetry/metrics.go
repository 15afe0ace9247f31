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

// Metrics are the gateway's own metrics, besides those of Go and the process.
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

// fine buckets suit the gateway and Redis, coarse ones backends.
var (
	fine   = []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5}
	coarse = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
)

// NewMetrics makes and registers every metric. version is the program's version;
// logDropped returns how many log lines were dropped.
func NewMetrics(version, goVersion string, logDropped func() int) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tykctl_requests_total",
			Help: "Requests answered, by status code and by the reason in the access log.",
		}, []string{"code", "reason"}),
		total:    histogram("tykctl_request_duration_seconds", "Time from the request header to the end of the response.", coarse),
		upstream: histogram("tykctl_upstream_duration_seconds", "Time the backend took for a request, from forwarding it to the end of the response.", coarse),
		overhead: histogram("tykctl_overhead_seconds", "Time the gateway itself added to a request, excluding the backend, Redis and delays imposed by the key's limit.", fine),
		redis: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tykctl_redis_duration_seconds",
			Help: "Time of one exchange with Redis, by operation.", Buckets: fine,
		}, []string{"op"}),
		redisErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tykctl_redis_errors_total",
			Help: "Failed exchanges with Redis, by operation and kind of failure.",
		}, []string{"op", "kind"}),
		redisUp: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tykctl_redis_up", Help: "1 if Redis answered the gateway's last check, else 0.",
		}),
		breakerOpen: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tykctl_redis_breaker_open", Help: "1 while requests bypass Redis, or at least one node of a Cluster, because it stopped answering, else 0.",
		}),
		localMode: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tykctl_redis_local_mode", Help: "1 while the gateway serves requests without Redis (redis.on_failure: local), else 0.",
		}),
		batch: histogram("tykctl_limiter_batch_size", "Number of requests that took their permits in one exchange with Redis.",
			[]float64{1, 2, 4, 8, 16, 32, 64, 128, 256}),
		localDenials: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tykctl_limiter_local_denials_total",
			Help: "Requests refused without asking Redis because the key was known to have no permits left.",
		}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tykctl_in_flight_requests", Help: "Requests currently being served.",
		}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "tykctl_build_info", Help: "Always 1; the labels give the versions of the gateway and of Go.",
		ConstLabels: prometheus.Labels{"version": version, "go_version": goVersion},
	})
	build.Set(1)
	lost := prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "tykctl_log_dropped_total",
		Help: "Log lines dropped because they could not be written in time or at all.",
	}, func() float64 { return float64(logDropped()) })
	m.registry.MustRegister(
		m.requests, m.total, m.upstream, m.overhead, m.redis, m.redisErrors, m.redisUp, m.breakerOpen, m.localMode,
		m.batch, m.localDenials, m.inFlight, build, lost,
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

// Request counts a finished request.
func (m *Metrics) Request(x gateway.Exchange) {
	m.requests.WithLabelValues(strconv.Itoa(x.Status), string(x.Reason)).Inc()
	m.total.Observe(x.Total.Seconds())
	m.overhead.Observe(x.Overhead().Seconds())
	if x.Upstream > 0 {
		m.upstream.Observe(x.Upstream.Seconds())
	}
}

// Redis counts one exchange with Redis. kind is the kind of failure, "" for none.
func (m *Metrics) Redis(op string, took time.Duration, kind string) {
	m.redis.WithLabelValues(op).Observe(took.Seconds())
	if kind != "" {
		m.redisErrors.WithLabelValues(op, kind).Inc()
	}
}

// Shared counts the requests that took their permits in one exchange with Redis.
func (m *Metrics) Shared(requests int) { m.batch.Observe(float64(requests)) }

// Denied counts a request refused without asking Redis.
func (m *Metrics) Denied() { m.localDenials.Inc() }

// Tripped sets whether requests bypass Redis.
func (m *Metrics) Tripped(open bool) { m.breakerOpen.Set(number(open)) }

// Alone sets whether the gateway serves requests without Redis.
func (m *Metrics) Alone(on bool) { m.localMode.Set(number(on)) }

// RedisUp sets whether Redis answered the last check.
func (m *Metrics) RedisUp(up bool) { m.redisUp.Set(number(up)) }

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
