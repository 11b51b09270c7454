// Knative Serving, and the images that its own tests run.
module rouse.test/cluster/knative

go 1.25.0

require (
	knative.dev/networking v0.0.0-20260727162500-c7a7b772cac9
	knative.dev/serving v0.50.0
)
