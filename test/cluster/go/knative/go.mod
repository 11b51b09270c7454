// Knative Serving, and the images that its own tests run.
module rouse.test/cluster/knative

go 1.25.0

require knative.dev/serving v0.50.0
