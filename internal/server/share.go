package server

const (
	fewDescriptors  = 1024
	manyDescriptors = 1 << 20
)

// Share is n, or if that is 0 a third of the files that this process may have
// open: clients' connections and the backend's then leave a third for the rest.
func Share(n int) int {
	if n > 0 {
		return n
	}
	return max(descriptors()/3, 1)
}
