{{- /* The text of one object with what the values say. What has nothing to be said of is passed on as it is. */ -}}
{{- define "rouse.object" -}}
{{- $object := fromYaml .text -}}
{{- $storage := .root.Values.storage -}}
{{- if eq $object.kind "Deployment" -}}
{{- include "rouse.pod" (dict "pod" $object.spec.template.spec "root" .root) -}}
{{- toYaml $object -}}
{{- else if ne $object.kind "PersistentVolumeClaim" -}}
{{- .text | trim -}}
{{- else if not $storage.ephemeral -}}
{{- $_ := set $object.spec.resources.requests "storage" $storage.size -}}
{{- if $storage.class -}}{{- $_ := set $object.spec "storageClassName" $storage.class -}}{{- end -}}
{{- toYaml $object -}}
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
{{- if eq $container.name "rouse" -}}
{{- include "rouse.control" (dict "container" $container "values" $values) -}}
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
{{- end -}}

{{- /* Changes the container of control: resources, settings, and the image of the models' servers. */ -}}
{{- define "rouse.control" -}}
{{- $_ := mergeOverwrite .container.resources .values.resources -}}
{{- $said := mergeOverwrite (dict "ROUSE_KNATIVE_IMAGE" .values.image) .values.env -}}
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
