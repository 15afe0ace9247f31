package inbound

// Overrides lists the fields that claim another method, target or host.
func Overrides() []string { return overrides }
