{{- /* The text of one object with what the values say. What has nothing to be said of is passed on as it is. */ -}}
{{- define "rouse.object" -}}
{{- $object := fromYaml .text -}}
{{- $ingress := .root.Values.ingress -}}
{{- if eq $object.kind "Deployment" -}}
{{- if eq $object.metadata.name "rouse-ingress" -}}{{- $_ := set $object.spec "replicas" $ingress.replicas -}}{{- end -}}
{{- include "rouse.pod" (dict "pod" $object.spec.template.spec "root" .root) -}}
{{- toYaml $object -}}
{{- else if and (eq $object.kind "Service") (eq $object.metadata.name "rouse-ingress") -}}
{{- $_ := set $object.spec "type" $ingress.service -}}
{{- toYaml $object -}}
{{- else if eq $object.kind "PersistentVolumeClaim" -}}
{{- $storage := ternary .root.Values.batch .root.Values.storage (eq $object.metadata.name "rouse-batch") -}}
{{- include "rouse.claim" (dict "claim" $object "storage" $storage) -}}
{{- else -}}
{{- .text | trim -}}
{{- end -}}
{{- end -}}

{{- /* A volume, or nothing. */ -}}
{{- define "rouse.claim" -}}
{{- if not .storage.ephemeral -}}
{{- $_ := set .claim.spec.resources.requests "storage" .storage.size -}}
{{- if .storage.class -}}{{- $_ := set .claim.spec "storageClassName" .storage.class -}}{{- end -}}
{{- toYaml .claim -}}
{{- end -}}
{{- end -}}

{{- /* Changes the spec of a pod. */ -}}
{{- define "rouse.pod" -}}
{{- $values := .root.Values -}}
{{- range $secret := $values.imagePullSecrets -}}
{{- $_ := set $.pod "imagePullSecrets" (append ($.pod.imagePullSecrets | default list) (dict "name" $secret)) -}}
{{- end -}}
{{- range $container := .pod.containers -}}
{{- $_ := set $container "image" $values.image -}}
{{- if eq $container.name "ingress" -}}
{{- $_ := mergeOverwrite $container.resources $values.ingress.resources -}}
{{- else if eq $container.name "rouse" -}}
{{- include "rouse.control" (dict "container" $container "root" $.root) -}}
{{- end -}}
{{- end -}}
{{- if $values.storage.ephemeral -}}
{{- $patch := fromYaml (.root.Files.Get "ephemeral/volume.yaml") -}}
{{- $volume := first $patch.spec.template.spec.volumes -}}
{{- range $each := .pod.volumes -}}
{{- if eq $each.name $volume.name -}}
{{- $_ := unset $each "persistentVolumeClaim" -}}
{{- $_ := set $each "emptyDir" $volume.emptyDir -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $values.batch.enabled (eq (first .pod.containers).name "rouse") -}}
{{- $patch := include "rouse.patch" (dict "part" "batch" "root" .root) | fromYaml -}}
{{- $_ := set .pod "volumes" (concat .pod.volumes $patch.spec.template.spec.volumes) -}}
{{- end -}}
{{- end -}}

{{- /* What a part changes of control, in this namespace. */ -}}
{{- define "rouse.patch" -}}
{{- .root.Files.Get (printf "%s/patch/control.yaml" .part) | replace "rouse-system" .root.Release.Namespace -}}
{{- end -}}

{{- /* Changes the container of control: resources, settings, and the image of the models' servers. */ -}}
{{- define "rouse.control" -}}
{{- $values := .root.Values -}}
{{- $_ := mergeOverwrite .container.resources $values.resources -}}
{{- $said := dict "ROUSE_KNATIVE_IMAGE" $values.image -}}
{{- range $part := list "models" "metrics" "batch" -}}
{{- if (index $values $part).enabled -}}
{{- $patch := include "rouse.patch" (dict "part" $part "root" $.root) | fromYaml -}}
{{- $change := first $patch.spec.template.spec.containers -}}
{{- range $each := $change.env -}}
{{- $_ := set $said $each.name $each.value -}}
{{- end -}}
{{- $_ := set $.container "volumeMounts" (concat $.container.volumeMounts ($change.volumeMounts | default list)) -}}
{{- end -}}
{{- end -}}
{{- $said = mergeOverwrite $said $values.env -}}
{{- $env := list -}}
{{- range $each := .container.env -}}
{{- if hasKey $said $each.name -}}
{{- $_ := set $each "value" (get $said $each.name) -}}
{{- $_ := unset $said $each.name -}}
{{- end -}}
{{- $env = append $env $each -}}
{{- end -}}
{{- range $name, $value := $said -}}
{{- $env = append $env (dict "name" $name "value" $value) -}}
{{- end -}}
{{- $_ := set .container "env" $env -}}
{{- end -}}
