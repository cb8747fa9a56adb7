# The exporter's role, and with events its bus and queues: stacks of the CloudFormation templates in
# deploy/aws, in the account where the exporter runs.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}

variable "organization_id" {
  description = "The organization (o-...), so that nothing outside it can be read or can send events. Empty if there is none."
  type        = string
  default     = ""
}

variable "shards" {
  description = "The number of the exporter's processes. With events each has a queue."
  type        = number
  default     = 1
}

variable "events" {
  description = "Whether CloudTrail's events are received. The provider's Region is where the queues are; us-east-1 is the shortest way."
  type        = bool
  default     = false
}

variable "parameters" {
  description = "Parameters of deploy/aws/hub.yaml, such as Workload, Access and Discovery."
  type        = map(string)
  default     = {}
}

resource "aws_cloudformation_stack" "events" {
  count         = var.events ? 1 : 0
  name          = "aws-root-exporter-events-hub"
  template_body = file("${path.module}/../../aws/events-hub.yaml")
  capabilities  = ["CAPABILITY_AUTO_EXPAND"]
  parameters = {
    OrganizationId = var.organization_id
    Queues         = join(",", range(var.shards))
  }
}

resource "aws_cloudformation_stack" "hub" {
  name          = "aws-root-exporter-hub"
  template_body = file("${path.module}/../../aws/hub.yaml")
  capabilities  = ["CAPABILITY_NAMED_IAM"]
  parameters = merge(
    {
      OrganizationId = var.organization_id
      EventQueueArns = join(",", [
        for name, value in try(aws_cloudformation_stack.events[0].outputs, {}) : value if startswith(name, "QueueArn")
      ])
    },
    var.parameters,
  )
}

output "hub_role_arn" {
  description = "The exporter's role, which the module member and the chart's service account need."
  value       = aws_cloudformation_stack.hub.outputs["HubRoleArn"]
}

output "bus_arn" {
  description = "The bus, which the module member needs; null without events."
  value       = try(aws_cloudformation_stack.events[0].outputs["BusArn"], null)
}

output "queue_url" {
  description = "The value of events.queue_url; null without events."
  value       = try(aws_cloudformation_stack.events[0].outputs["QueueUrl"], null)
}
