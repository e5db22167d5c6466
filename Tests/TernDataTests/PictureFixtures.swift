import Foundation

/// Small pictures as files, written by Pillow 13, and what it reads from them.
struct PictureFixture: Sendable {
  let name: String
  let width: Int
  let height: Int
  let channels: Int
  /// The first and the last six values.
  let first: [UInt8]
  let last: [UInt8]
  /// How far another decoder may be off.
  let tolerance: Int
  private let base64: String

  var data: Data { Data(base64Encoded: base64)! }

  static func named(_ name: String) -> PictureFixture { all.first { $0.name == name }! }

  static let all: [PictureFixture] = [
    PictureFixture(
      name: "greyPNG", width: 3, height: 2, channels: 1,
      first: [0, 128, 255, 7, 77, 177], last: [0, 128, 255, 7, 77, 177], tolerance: 0,
      base64: """
        iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAAAAAC4HznGAAAAEElEQVR4nGNgaPjPxH52EwAKbAMI3nw0\
        aAAAAABJRU5ErkJggg==
        """),
    PictureFixture(
      name: "colorPNG", width: 3, height: 2, channels: 3,
      first: [255, 0, 0, 0, 255, 0], last: [200, 100, 50, 255, 255, 255], tolerance: 0,
      base64: """
        iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAGElEQVR4nGP4z8DAAMFcInInUoz+//8P\
        ADwZB5XvwsbYAAAAAElFTkSuQmCC
        """),
    PictureFixture(
      name: "alphaPNG", width: 3, height: 2, channels: 3,
      first: [255, 0, 0, 0, 255, 0], last: [200, 100, 50, 255, 255, 255], tolerance: 0,
      base64: """
        iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAYAAACddGYaAAAAI0lEQVR4nGP4z8DAwPCfoYGB4f9/Bi4R\
        OcYTKUZM////ZwYAaIUJGg/w8CMAAAAASUVORK5CYII=
        """),
    PictureFixture(
      name: "palettePNG", width: 3, height: 2, channels: 3,
      first: [255, 0, 0, 0, 255, 0], last: [200, 100, 50, 255, 255, 255], tolerance: 0,
      base64: """
        iVBORw0KGgoAAAANSUhEUgAAAAMAAAACBAMAAABvWnspAAAAElBMVEX///8A/wDIZDIKFB7/AAAAAP8S\
        TycHAAAADklEQVR4nGN05GcwYgAAAfEAhLB+fWEAAAAASUVORK5CYII=
        """),
    PictureFixture(
      name: "bilevelPNG", width: 3, height: 2, channels: 1,
      first: [0, 255, 255, 0, 0, 255], last: [0, 255, 255, 0, 0, 255], tolerance: 0,
      base64: """
        iVBORw0KGgoAAAANSUhEUgAAAAMAAAACAQAAAAC1D1u3AAAADElEQVR4nGNIYFAAAAFEAIFCw9Q5AAAA\
        AElFTkSuQmCC
        """),
    PictureFixture(
      name: "grey16PNG", width: 3, height: 2, channels: 1,
      first: [0, 128, 255, 7, 77, 177], last: [0, 128, 255, 7, 77, 177], tolerance: 0,
      base64: """
        iVBORw0KGgoAAAANSUhEUgAAAAMAAAACEAAAAADoj+WFAAAAFklEQVR4nGNgYGho+P+fiZ397NlNmwAj\
        iQYNl8Y4RgAAAABJRU5ErkJggg==
        """),
    PictureFixture(
      name: "turnedPNG", width: 2, height: 3, channels: 3,
      first: [10, 20, 30, 255, 0, 0], last: [255, 255, 255, 0, 0, 255], tolerance: 0,
      base64: """
        iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAGmVYSWZNTQAqAAAACAABARIAAwAAAAEA\
        BgAAAAAAANZnS2kAAAAYSURBVHicY/jPwMAAwVwicidSjP7//w8APBkHle/CxtgAAAAASUVORK5CYII=
        """),
    PictureFixture(
      name: "colorJPEG", width: 16, height: 12, channels: 3,
      first: [0, 2, 1, 7, 5, 6], last: [221, 213, 226, 228, 216, 230], tolerance: 2,
      base64: """
        /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAYEBQYFBAYGBQYHBwYIChAKCgkJChQODwwQFxQYGBcUFhYa\
        HSUfGhsjHBYWICwgIyYnKSopGR8tMC0oMCUoKSj/2wBDAQcHBwoIChMKChMoGhYaKCgoKCgoKCgoKCgo\
        KCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCj/wAARCAAMABADASIAAhEBAxEB/8QA\
        HwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIh\
        MUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVW\
        V1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXG\
        x8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/8QAHwEAAwEBAQEBAQEBAQAAAAAAAAECAwQF\
        BgcICQoL/8QAtREAAgECBAQDBAcFBAQAAQJ3AAECAxEEBSExBhJBUQdhcRMiMoEIFEKRobHBCSMzUvAV\
        YnLRChYkNOEl8RcYGRomJygpKjU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6goOE\
        hYaHiImKkpOUlZaXmJmaoqOkpaanqKmqsrO0tba3uLm6wsPExcbHyMnK0tPU1dbX2Nna4uPk5ebn6Onq\
        8vP09fb3+Pn6/9oADAMBAAIRAxEAPwDyrRvCP3f3f6V3WjeEfu/u/wBK7jRtMtvl+Su70bTLX5fkowuJ\
        Zx8OcS1tD//Z
        """),
    PictureFixture(
      name: "progressiveJPEG", width: 16, height: 12, channels: 3,
      first: [0, 2, 1, 7, 5, 6], last: [221, 213, 226, 228, 216, 230], tolerance: 2,
      base64: """
        /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAYEBQYFBAYGBQYHBwYIChAKCgkJChQODwwQFxQYGBcUFhYa\
        HSUfGhsjHBYWICwgIyYnKSopGR8tMC0oMCUoKSj/2wBDAQcHBwoIChMKChMoGhYaKCgoKCgoKCgoKCgo\
        KCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCj/wgARCAAMABADASIAAhEBAxEB/8QA\
        FQABAQAAAAAAAAAAAAAAAAAABQb/xAAVAQEBAAAAAAAAAAAAAAAAAAAAA//aAAwDAQACEAMQAAABlHXH\
        kf/EABcQAQEBAQAAAAAAAAAAAAAAAAMAAgT/2gAIAQEAAQUCHkh5ITzCeb//xAAWEQEBAQAAAAAAAAAA\
        AAAAAAAFAAL/2gAIAQMBAT8BOS3f/8QAFREBAQAAAAAAAAAAAAAAAAAAAwD/2gAIAQIBAT8BJL//xAAW\
        EAEBAQAAAAAAAAAAAAAAAAAxABD/2gAIAQEABj8CI3//xAAWEAEBAQAAAAAAAAAAAAAAAAAAITH/2gAI\
        AQEAAT8hxMSKI4//2gAMAwEAAgADAAAAEOP/xAAVEQEBAAAAAAAAAAAAAAAAAAAAIf/aAAgBAwEBPxCZ\
        /8QAFREBAQAAAAAAAAAAAAAAAAAAAAH/2gAIAQIBAT8Qq//EABYQAQEBAAAAAAAAAAAAAAAAAPEAEP/a\
        AAgBAQABPxAiI3uf/9k=
        """),
    PictureFixture(
      name: "fullChromaJPEG", width: 16, height: 12, channels: 3,
      first: [0, 0, 0, 14, 1, 10], last: [212, 219, 225, 226, 220, 234], tolerance: 2,
      base64: """
        /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAIBAQEBAQIBAQECAgICAgQDAgICAgUEBAMEBgUGBgYFBgYG\
        BwkIBgcJBwYGCAsICQoKCgoKBggLDAsKDAkKCgr/2wBDAQICAgICAgUDAwUKBwYHCgoKCgoKCgoKCgoK\
        CgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgr/wAARCAAMABADAREAAhEBAxEB/8QA\
        HwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIh\
        MUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVW\
        V1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXG\
        x8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/8QAHwEAAwEBAQEBAQEBAQAAAAAAAAECAwQF\
        BgcICQoL/8QAtREAAgECBAQDBAcFBAQAAQJ3AAECAxEEBSExBhJBUQdhcRMiMoEIFEKRobHBCSMzUvAV\
        YnLRChYkNOEl8RcYGRomJygpKjU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6goOE\
        hYaHiImKkpOUlZaXmJmaoqOkpaanqKmqsrO0tba3uLm6wsPExcbHyMnK0tPU1dbX2Nna4uPk5ebn6Onq\
        8vP09fb3+Pn6/9oADAMBAAIRAxEAPwD8/wD4N/sL/wCq/wCJP6f8s6nLc021PnuAfFP4Pf8AxPrD4N/s\
        L/6r/iT+n/LOvv8ALczemp/bPAPin8Hv/ifVHwb+EXgb91/xK/TuP8K/B8uxFVW1P8MOAuIc0933z6x+\
        Dfwh8Dfuv+JX6dx/hX32W4irpqf2zwDxDmnue+f/2Q==
        """),
    PictureFixture(
      name: "greyJPEG", width: 16, height: 12, channels: 1,
      first: [0, 16, 30, 43, 61, 74], last: [150, 163, 181, 194, 208, 225], tolerance: 2,
      base64: """
        /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAYEBQYFBAYGBQYHBwYIChAKCgkJChQODwwQFxQYGBcUFhYa\
        HSUfGhsjHBYWICwgIyYnKSopGR8tMC0oMCUoKSj/wAALCAAMABABAREA/8QAHwAAAQUBAQEBAQEAAAAA\
        AAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEI\
        I0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1\
        dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi\
        4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEBAAA/APGvh3/yy/CvqD4d/wDLL8K+X/h3/wAsvwr6g+Hf/LL8\
        K//Z
        """),
    PictureFixture(
      name: "inkJPEG", width: 16, height: 12, channels: 3,
      first: [0, 0, 0, 15, 0, 9], last: [210, 222, 224, 225, 222, 233], tolerance: 2,
      base64: """
        /9j/7gAOQWRvYmUAZAAAAAAA/9sAQwADAgIDAgIDAwMDBAMDBAUIBQUEBAUKBwcGCAwKDAwLCgsLDQ4S\
        EA0OEQ4LCxAWEBETFBUVFQwPFxgWFBgSFBUU/8AAFAgADAAQBEMRAE0RAFkRAEsRAP/EAB8AAAEFAQEB\
        AQEBAAAAAAAAAAABAgMEBQYHCAkKC//EALUQAAIBAwMCBAMFBQQEAAABfQECAwAEEQUSITFBBhNRYQci\
        cRQygZGhCCNCscEVUtHwJDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVm\
        Z2hpanN0dXZ3eHl6g4SFhoeIiYqSk5SVlpeYmZqio6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV\
        1tfY2drh4uPk5ebn6Onq8fLz9PX29/j5+v/aAA4EQwBNAFkASwAAPwD42/Z2/wCXX8K+ZP8Ahkn/AKcv\
        /Ha+Uvhb8Lf9T+59O1fqnX6gfs7f8uv4Uf8ADJP/AE5f+O19gfC34W/6n9z6dqK/L/8AZ2/5dfwr9aP+\
        FbaD/wA+n6j/AArB+Fvh6y/c/uvSiv1A/Z2/5dfwo/4VtoP/AD6fqP8ACvsD4W+HrL9z+69KK//Z
        """),
    PictureFixture(
      name: "turnedJPEG", width: 12, height: 8, channels: 3,
      first: [14, 209, 104, 10, 196, 95], last: [99, 23, 69, 92, 8, 58], tolerance: 2,
      base64: """
        /9j/4AAQSkZJRgABAQAAAQABAAD/4QAiRXhpZgAATU0AKgAAAAgAAQESAAMAAAABAAYAAAAAAAD/2wBD\
        AAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8XGBYU\
        GBIUFRT/2wBDAQMEBAUEBQkFBQkUDQsNFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU\
        FBQUFBQUFBQUFBQUFBT/wAARCAAMAAgDASIAAhEBAxEB/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQF\
        BgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAk\
        M2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWG\
        h4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx\
        8vP09fb3+Pn6/8QAHwEAAwEBAQEBAQEBAQAAAAAAAAECAwQFBgcICQoL/8QAtREAAgECBAQDBAcFBAQA\
        AQJ3AAECAxEEBSExBhJBUQdhcRMiMoEIFEKRobHBCSMzUvAVYnLRChYkNOEl8RcYGRomJygpKjU2Nzg5\
        OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6goOEhYaHiImKkpOUlZaXmJmaoqOkpaanqKmq\
        srO0tba3uLm6wsPExcbHyMnK0tPU1dbX2Nna4uPk5ebn6Onq8vP09fb3+Pn6/9oADAMBAAIRAxEAPwD5\
        U8G/Av8A1f8Ao/6UV9zeDfCOmfu/3FFcmHx8+RH51kfiDi/qcdz/2Q==
        """),
  ]
}
