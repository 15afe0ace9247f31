package storage

import "testing"

func TestModeByOptions(t *testing.T) {
	for _, tt := range []struct {
		o              Options
		cluster, known bool
	}{
		{Options{Addrs: []string{"a"}}, false, false},
		{Options{Addrs: []string{"a"}, Cluster: ClusterAuto}, false, false},
		{Options{Addrs: []string{"a"}, Cluster: ClusterOn}, true, true},
		{Options{Addrs: []string{"a"}, Cluster: ClusterOff}, false, true},
		{Options{Addrs: []string{"a", "b"}}, true, true},
		{Options{Addrs: []string{"a", "b"}, MasterName: "m"}, false, true},
		{Options{Addrs: []string{"a"}, MasterName: "m", Cluster: ClusterAuto}, false, true},
	} {
		if cluster, known := tt.o.cluster(); cluster != tt.cluster || known != tt.known {
			t.Errorf("%+v: a cluster: %v, known: %v; want %v, %v", tt.o, cluster, known, tt.cluster, tt.known)
		}
	}
}
